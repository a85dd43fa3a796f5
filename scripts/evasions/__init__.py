"""Every evasion that `make prove-audit` plants. A kind that somebody finds later is one more row."""

from scripts.evasions import alarms, code, declarations, entries, resources, roles, schedules, template
from scripts.evasions.evasion import Evasion

GROUPS: dict[str, list[Evasion]] = {
    "The import of a function": code.IMPORT_TIME,
    "The code of a function": code.FUNCTIONS,
    "The modules of shared/, and what the audit reads beside code": code.MODULES,
    "GUARD and handler": declarations.HANDLERS,
    "The numbers of GUARD": declarations.NUMBERS,
    "The lists of GUARD": declarations.LISTS,
    "serverless.yml: the whole file": template.WHOLE,
    "serverless.yml: the entries of functions": entries.ENTRIES,
    "serverless.yml: schedules": schedules.SCHEDULES,
    "serverless.yml: the permissions": roles.ROLES,
    "serverless.yml: resources": resources.RESOURCES,
    "serverless.yml: alarms": alarms.ALARMS,
}
EVASIONS = [evasion for evasions in GROUPS.values() for evasion in evasions]
