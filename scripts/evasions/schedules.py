"""Evasions by the schedules of cron functions."""

from scripts.evasions.evasion import deployed, setting

_CRON = "  cron_recover:\n"
_REFERENCE = "{{resolve:ssm:/portero/${sls:stage}/CRON_TRIGGER}}"

SCHEDULES = [
    deployed(
        "a schedule's function with a public door",
        "deployment-events",
        "      - schedule:\n",
        "      - httpApi: {method: POST, path: /cron/recover}\n      - schedule:\n",
        _CRON,
    ),
    deployed("a schedule that holds the secret itself", "schedule-secret", _REFERENCE, "hunter2hunter2", _CRON),
    deployed("a schedule that sends another secret", "template-form", "CRON_TRIGGER", "SUPABASE_SECRET_KEY", _CRON),
    deployed("a schedule that sends the secret of another stage", "template-form", "${sls:stage}", "prod", _CRON),
    deployed(
        "a schedule without its secret",
        "schedule-secret",
        f"            authorization: Bearer {_REFERENCE}\n",
        "",
        _CRON,
    ),
    deployed(
        "a schedule that rests",
        "schedule-rests",
        "rate: rate(1 minute)\n",
        "rate: rate(1 minute)\n          enabled: false\n",
        _CRON,
    ),
    deployed("a schedule that runs once a year", "template-form", "rate(1 minute)", "rate(365 days)", _CRON),
    deployed(
        "a schedule that sends something more",
        "template-form",
        "schedule: cron_recover\n",
        "schedule: cron_recover\n            tenant: x\n",
        _CRON,
    ),
    deployed(
        "a target that holds the secret itself", "resource-form", _REFERENCE, "hunter2hunter2", "Id: cron-recover"
    ),
    deployed(
        "a target of another function",
        "resource-form",
        "CronUnderscorerecoverLambdaFunction.Arn",
        "CronUnderscorebillingLambdaFunction.Arn",
        "Id: cron-recover",
    ),
    deployed(
        "a target without a dead-letter queue",
        "resource-form",
        "    DeadLetterConfig: {Arn: !GetAtt CronFailures.Arn}\n",
        "",
    ),
    deployed(
        "a target with another role",
        "resource-form",
        "            Id: cron-recover\n",
        "            Id: cron-recover\n            RoleArn: arn:aws:iam::1:role/x\n",
    ),
    deployed(
        "a target that tries 185 times", "resource-form", "MaximumRetryAttempts: 2}", "MaximumRetryAttempts: 185}"
    ),
    deployed(
        "a second target of a schedule",
        "resource-form",
        "          - <<: *cron_target\n",
        "          - {Id: x, Arn: x}\n          - <<: *cron_target\n",
    ),
    deployed(
        "a schedule whose failures go nowhere",
        "role-excess",
        "      destinations:\n        onFailure: {type: sqs, arn: !GetAtt CronFailures.Arn}\n",
        "",
    ),
    deployed(
        "a schedule whose failures go elsewhere",
        "template-form",
        "onFailure: {type: sqs, arn: !GetAtt CronFailures.Arn}",
        "onFailure: {type: sqs, arn: arn:aws:sqs:x:1:x}",
    ),
    deployed(
        "a schedule that keeps its event for six hours",
        "template-form",
        "maximumEventAge: 3600",
        "maximumEventAge: 21600",
    ),
    setting("AWS_LAMBDA_FUNCTION_NAME", "cron_recover", "template-form"),
]
