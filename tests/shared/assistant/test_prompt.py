"""Customer text is data in the prompt: nobody can write the marker that ends it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.assistant.prompt import build_prompt
from shared.data.rows import Passage, Said, TenantFacts
from shared.safety.canonical import visible
from shared.untrusted import Untrusted

TENANT = TenantFacts(name="Tienda", language="es", instructions="Sé breve.", hand_off_sentence="Ya te paso.")
MARKER = re.compile(r"<<customer ([0-9a-f]{8})>>")


@given(st.text(), st.text(), st.text())
def test_what_a_customer_writes_stays_between_the_markers(text, before, knowledge):
    messages = build_prompt(
        TENANT,
        [Passage(body=knowledge, source="a.md", distance=0.1)],
        [Said(author="contact", text=before), Said(author="assistant", text="hola")],
        [Untrusted(text)],
        "c0ffee" * 4,
    )
    system, *conversation = messages
    [marker] = set(MARKER.findall(system["content"]))
    assert [message["role"] for message in conversation] == ["user", "assistant", "user"]
    assert conversation[-1]["content"] == f"<<customer {marker}>>\n{visible(text)}\n<<end {marker}>>"
    assert conversation[0]["content"] == f"<<customer {marker}>>\n{visible(before)}\n<<end {marker}>>"
    assert system["content"].count("<passage") == system["content"].count("</passage>") == 1


def test_every_prompt_has_a_marker_of_its_own():
    prompts = [build_prompt(TENANT, [], [], [Untrusted("x")], "c0ffee")[0]["content"] for _ in range(20)]
    assert len({MARKER.findall(prompt)[0] for prompt in prompts}) == 20
