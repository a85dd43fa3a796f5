"""One stage's packaged CloudFormation template, as the rules look at it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.deployment.closure import Guard

Resource = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """`resources` as CloudFormation gets them; `guards` and `schedule_inputs` (of the offline world) by function."""

    stage: str
    service: str
    resources: dict[str, Resource]
    guards: dict[str, Guard]
    schedule_inputs: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Resources of a type (without the AWS:: in front), by logical name."""
        return {name: found for name, found in self.resources.items() if found["Type"] == f"AWS::{kind}"}

    def properties_of(self, kind: str) -> dict[str, Resource]:
        """Only the properties of the resources of a type, by logical name."""
        return {name: found.get("Properties", {}) for name, found in self.of_type(kind).items()}

    def functions(self) -> dict[str, Resource]:
        """The properties of each function, by its name in functions/."""
        return {_own_name(properties): properties for properties in self.properties_of("Lambda::Function").values()}

    def function_at(self, value: Any) -> str:
        """The function that a reference points to, by its name in functions/; an empty text when it is none."""
        properties = self.properties_of("Lambda::Function").get(target(value))
        return _own_name(properties) if properties else ""

    def is_internal(self, function: str) -> bool:
        """Whether only another function of ours invokes it."""
        guard = self.guards.get(function)
        return guard is not None and guard.kind == "internal"

    def statements(self, role: Any) -> list[dict[str, Any]]:
        """The IAM statements of the role that a reference points to."""
        policies = self.resources.get(target(role), {}).get("Properties", {}).get("Policies", [])
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def allowed(self, function: str, actions: set[str]) -> list[Any]:
        """The resources on which a function may do any of the actions."""
        return [
            resource
            for statement in self.statements(self.functions()[function].get("Role"))
            if actions & set(listed(statement["Action"]))
            for resource in listed(statement["Resource"])
        ]

    def sources(self) -> Iterator[tuple[str, Resource, Resource]]:
        """Each queue that feeds a function: its logical name, its properties, those of the event source mapping."""
        for mapping in self.properties_of("Lambda::EventSourceMapping").values():
            name = target(mapping["EventSourceArn"])
            yield name, self.resources[name]["Properties"], mapping

    def failure_queues(self) -> dict[str, str]:
        """Function -> the queue that its failed asynchronous events go to."""
        return {
            self.function_at(config["FunctionName"]): target(config["DestinationConfig"]["OnFailure"]["Destination"])
            for config in self.properties_of("Lambda::EventInvokeConfig").values()
            if config.get("DestinationConfig", {}).get("OnFailure")
        }

    def rule_targets(self) -> Iterator[tuple[str, Resource]]:
        """Each target of an EventBridge rule, with the rule's logical name."""
        for name, rule in self.properties_of("Events::Rule").items():
            for aim in rule["Targets"]:
                yield name, aim

    def route_functions(self) -> dict[str, str]:
        """Route ("POST /webhook/meta") -> function, an empty text when it leads to none."""
        integrations = self.properties_of("ApiGatewayV2::Integration")
        functions = {}
        for route in self.properties_of("ApiGatewayV2::Route").values():
            match route.get("Target"):
                case {"Fn::Join": [_, [_, {"Ref": str(name)}]]} if name in integrations:
                    functions[route["RouteKey"]] = self.function_at(integrations[name].get("IntegrationUri"))
                case _:
                    functions[route["RouteKey"]] = ""
        return functions

    def watched(self) -> set[tuple[str, str, float]]:
        """What the alarms look at: metric, logical name of the resource (empty for none), threshold."""
        return {
            (alarm["MetricName"], target(dimension["Value"]), alarm["Threshold"])
            for alarm in self.properties_of("CloudWatch::Alarm").values()
            if "MetricName" in alarm
            for dimension in alarm.get("Dimensions") or [{"Value": None}]
        }

    def counted(self) -> set[tuple[str, str, str]]:
        """Which of our own metrics (shared/metrics.py) the alarms look at: metric, dimension, its value."""
        alarms = self.properties_of("CloudWatch::Alarm").values()
        inside = [
            query["MetricStat"]["Metric"]
            for alarm in alarms
            for query in alarm.get("Metrics", [])
            if "MetricStat" in query
        ]
        return {
            (metric["MetricName"], dimension["Name"], dimension["Value"])
            for metric in [*alarms, *inside]
            if metric.get("Namespace") == f"{self.service}/{self.stage}"
            for dimension in metric.get("Dimensions", [])
        }


def target(value: Any) -> str:
    """The logical name that a Ref, a GetAtt or the start of a Sub points to; an empty text for anything else."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": str(text)} if found := re.match(r"\$\{(\w+)", text):
            return found[1]
    return ""


def targets(value: Any) -> list[str]:
    """The same for a value that may name more than one: a Sub with each of them in it."""
    if isinstance(value, dict) and isinstance(text := value.get("Fn::Sub"), str):
        return re.findall(r"\$\{(\w+)", text)
    return [name for name in [target(value)] if name]


def listed(value: Any) -> list[Any]:
    """IAM writes one thing without a list."""
    return value if isinstance(value, list) else [value]


def _own_name(properties: Resource) -> str:
    handler: str = properties["Handler"]
    return handler.removeprefix("functions/").partition(".")[0]
