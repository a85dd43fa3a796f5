"""Evasions that silence an alarm."""

from scripts.evasions.evasion import deployed

ALARMS = [
    deployed("a threshold of a million", "alarm-bounds", "        Threshold: 0\n", "        Threshold: 1000000\n"),
    deployed(
        "a threshold of one more",
        "alarm-bounds",
        "        Threshold: 0\n",
        "        Threshold: 1\n",
        "WebhookMetaErrorsAlarm:",
    ),
    deployed("a threshold of a day's wait", "alarm-bounds", "Threshold: 300", "Threshold: 86400"),
    deployed(
        "a threshold that is no number", "alarm-bounds", "        Threshold: 0\n", "        Threshold: ${param:x}\n"
    ),
    deployed("a refused share of everything", "alarm-bounds", "Threshold: 0.2", "Threshold: 1.0"),
    deployed(
        "another operator",
        "alarm-bounds",
        "ComparisonOperator: GreaterThanThreshold",
        "ComparisonOperator: LessThanThreshold",
    ),
    deployed(
        "an operator that there is not here",
        "resource-form",
        "ComparisonOperator: GreaterThanThreshold",
        "ComparisonOperator: GreaterThanUpperThreshold",
    ),
    deployed("a period of a day", "resource-form", "        Period: 300\n", "        Period: 86400\n"),
    deployed("a hundred periods", "resource-form", "EvaluationPeriods: 1\n", "EvaluationPeriods: 100\n"),
    deployed(
        "data points of which some may be bad",
        "resource-form",
        "EvaluationPeriods: 1\n",
        "EvaluationPeriods: 1\n        DatapointsToAlarm: 1\n",
    ),
    deployed("an average in place of a sum", "resource-form", "Statistic: Sum", "Statistic: Average"),
    deployed(
        "a percentile in place of a sum",
        "resource-form",
        "        Statistic: Sum\n",
        "        ExtendedStatistic: p50\n",
    ),
    deployed("an alarm without an action", "resource-form", "AlarmActions: [!Ref AlarmTopic]", "AlarmActions: []"),
    deployed(
        "an alarm with another action",
        "resource-form",
        "AlarmActions: [!Ref AlarmTopic]",
        "AlarmActions: [arn:aws:sns:x:1:x]",
    ),
    deployed(
        "an alarm whose actions are off",
        "resource-form",
        "AlarmActions: [!Ref AlarmTopic]",
        "AlarmActions: [!Ref AlarmTopic]\n        ActionsEnabled: false",
    ),
    deployed(
        "an alarm that takes silence as well",
        "alarm-bounds",
        "TreatMissingData: breaching",
        "TreatMissingData: notBreaching",
    ),
    deployed(
        "an alarm that ignores silence", "resource-form", "TreatMissingData: notBreaching", "TreatMissingData: ignore"
    ),
    deployed(
        "an alarm under a condition",
        "resource-form",
        "    WebhookMetaErrorsAlarm:\n",
        "    WebhookMetaErrorsAlarm:\n      Condition: HasAlarmEmail\n",
    ),
    deployed(
        "an alarm of another metric", "alarm-missing", "        MetricName: Errors\n", "        MetricName: Throttles\n"
    ),
    deployed("an alarm of another namespace", "resource-form", "Namespace: AWS/Lambda", "Namespace: other"),
    deployed(
        "an alarm of another function",
        "alarm-missing",
        "Value: !Ref AppUnderscoresendLambdaFunction",
        "Value: !Ref AppUnderscoreusageLambdaFunction",
    ),
    deployed(
        "an alarm of no function",
        "alarm-missing",
        "Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]",
        "Dimensions: []",
    ),
    deployed(
        "an alarm of a misspelt dimension",
        "alarm-missing",
        "Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]",
        "Dimensions: [{Name: Function, Value: !Ref AppUnderscoresendLambdaFunction}]",
    ),
    deployed(
        "a function's alarm is taken out",
        "alarm-missing",
        "    AppSendErrorsAlarm:\n      Type: AWS::CloudWatch::Alarm\n      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]}\n",
        "",
    ),
    deployed(
        "a dead-letter queue's alarm is taken out",
        "alarm-missing",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendDeadLetters.QueueName}]",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendQueue.QueueName}]",
    ),
    deployed(
        "a webhook's share of refusals is another's",
        "alarm-missing",
        "MetricName: refusals, Dimensions: [{Name: function, Value: webhook_paddle}]",
        "MetricName: refusals, Dimensions: [{Name: function, Value: webhook_meta}]",
    ),
    deployed(
        "a share of the calls of another function",
        "resource-form",
        "MetricName: calls, Dimensions: [{Name: function, Value: webhook_paddle}]",
        "MetricName: calls, Dimensions: [{Name: function, Value: app_send}]",
    ),
    deployed(
        "a share that is always zero",
        "resource-form",
        'Expression: "IF(calls >= 20, refusals / calls, 0)"',
        'Expression: "0 * calls"',
    ),
    deployed(
        "a schedule's silence alarm of a minute more",
        "resource-form",
        "        EvaluationPeriods: 2\n",
        "        EvaluationPeriods: 3\n",
    ),
    deployed("no alarm of the API's faults", "alarm-missing", "MetricName: 5xx", "MetricName: 4xx"),
    deployed(
        "no alarm of waiting customers",
        "alarm-missing",
        "Dimensions: [{Name: QueueName, Value: !GetAtt ReplyQueue.QueueName}]\n        Threshold: 300",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendQueue.QueueName}]\n        Threshold: 300",
    ),
    deployed(
        "alarms that reach nobody", "resource-form", 'Endpoint: "${param:alarmEmail}"', "Endpoint: nobody@example.com"
    ),
]
