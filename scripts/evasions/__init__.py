"""Every evasion that `make prove-audit` plants. A kind that somebody finds later is one more row."""

from scripts.evasions import code, declarations, deployment
from scripts.evasions.evasion import Evasion

GROUPS: dict[str, list[Evasion]] = {
    "The import of a function": code.IMPORT_TIME,
    "The code of a function": code.FUNCTIONS,
    "The modules of shared/, and what the audit reads beside code": code.MODULES,
    "GUARD and handler": declarations.HANDLERS,
    "The numbers of GUARD": declarations.NUMBERS,
    "The lists of GUARD": declarations.LISTS,
    "serverless.yml: the whole file": deployment.WHOLE,
    "serverless.yml: the entries of functions": deployment.ENTRIES,
    "serverless.yml: schedules": deployment.SCHEDULES,
    "serverless.yml: the permissions": deployment.ROLES,
    "serverless.yml: resources": deployment.RESOURCES,
    "serverless.yml: alarms": deployment.ALARMS,
}
EVASIONS = [evasion for evasions in GROUPS.values() for evasion in evasions]
