"""LiteLLM's BudgetManager under the race of races.py, in its own process: ask for the cost so far, call, add.

    PYTHONPATH=<its libraries> python litellm_race.py <workers> <limit> <least> <dearest> <call seconds>

Prints what was spent, in millionths of a dollar, how many calls that were, and the seconds.
"""

import asyncio
import os
import random
import sys
import tempfile
import time

# Its own copy of the prices: it would ask the network for a newer one.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


async def main() -> None:
    """As its documentation says: get_current_cost, get_total_budget, update_cost."""
    from litellm import BudgetManager, ModelResponse, cost_per_token
    from litellm.types.utils import Usage

    workers, limit, least, dearest = map(int, sys.argv[1:5])
    seconds = float(sys.argv[5])
    os.chdir(tempfile.mkdtemp())
    manager = BudgetManager(project_name="bench")
    manager.create_budget(total_budget=limit / 1e6, user="shop")
    price = cost_per_token(model="gpt-4o-mini", prompt_tokens=0, completion_tokens=1_000_000)[1]
    begun, calls = time.perf_counter(), 0

    async def work(number: int) -> None:
        nonlocal calls
        chance = random.Random(number)
        while manager.get_current_cost("shop") < manager.get_total_budget("shop"):
            await asyncio.sleep(seconds)
            tokens = round(chance.randint(least, dearest) / price)
            usage = Usage(prompt_tokens=0, completion_tokens=tokens, total_tokens=tokens)
            manager.update_cost(user="shop", completion_obj=ModelResponse(model="gpt-4o-mini", usage=usage))
            calls += 1

    await asyncio.gather(*map(work, range(workers)))
    print(round(manager.get_current_cost("shop") * 1e6), calls, time.perf_counter() - begun, flush=True)
    # Its threads would go on to write files.
    os._exit(0)


asyncio.run(main())
