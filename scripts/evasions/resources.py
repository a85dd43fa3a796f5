"""Evasions by the resources of serverless.yml."""

from scripts.evasions.evasion import Evasion, deployed

_RESOURCES = "  Resources:\n"
_EXTENSIONS = "  extensions:\n"


def _resource(name: str, kind: str, properties: str = "{}", rule: str = "resource-form") -> Evasion:
    return deployed(name, rule, _RESOURCES, f"{_RESOURCES}    Planted: {{Type: '{kind}', Properties: {properties}}}\n")


def _extension(name: str, of: str, value: str, rule: str = "resource-form") -> Evasion:
    return deployed(name, rule, _EXTENSIONS, f"{_EXTENSIONS}    {of}: {value}\n")


RESOURCES = [
    _resource("a nested stack", "AWS::CloudFormation::Stack", "{TemplateURL: x}"),
    _resource("a custom resource", "AWS::CloudFormation::CustomResource", "{ServiceToken: x}"),
    _resource("a custom resource by its own name", "Custom::Planted", "{ServiceToken: x}"),
    _resource("a macro", "AWS::CloudFormation::Macro", "{FunctionName: x}"),
    _resource("a permission to call a function", "AWS::Lambda::Permission", "{Principal: '*'}", "deployment-hidden"),
    _resource("a URL of a function", "AWS::Lambda::Url", "{AuthType: NONE}", "deployment-hidden"),
    _resource("a function", "AWS::Lambda::Function", "{}", "deployment-hidden"),
    _resource("an alias of a function", "AWS::Lambda::Alias", "{}", "deployment-hidden"),
    _resource("a source of events", "AWS::Lambda::EventSourceMapping", "{}", "deployment-hidden"),
    _resource("a layer", "AWS::Lambda::LayerVersion"),
    _resource("a version of a function", "AWS::Lambda::Version"),
    _resource("a route", "AWS::ApiGatewayV2::Route", "{RouteKey: $default}", "deployment-hidden"),
    _resource("an integration", "AWS::ApiGatewayV2::Integration", "{}", "deployment-hidden"),
    _resource("an API", "AWS::ApiGatewayV2::Api", "{}", "deployment-hidden"),
    _resource("a stage of the API", "AWS::ApiGatewayV2::Stage"),
    _resource("a domain of the API", "AWS::ApiGatewayV2::ApiMapping"),
    _resource("a function of SAM", "AWS::Serverless::Function", "{}", "deployment-hidden"),
    _resource("an application of SAM", "AWS::Serverless::Application", "{}", "deployment-hidden"),
    _resource("a role", "AWS::IAM::Role", "{ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]}"),
    _resource("a policy for roles", "AWS::IAM::Policy"),
    _resource("a managed policy", "AWS::IAM::ManagedPolicy"),
    _resource("a user with keys", "AWS::IAM::AccessKey"),
    _resource("a rule of events", "AWS::Events::Rule"),
    _resource("a schedule", "AWS::Scheduler::Schedule"),
    _resource("a pipe", "AWS::Pipes::Pipe"),
    _resource("a subscription of a log", "AWS::Logs::SubscriptionFilter"),
    _resource("a bucket of another form", "AWS::S3::Bucket"),
    _resource("an access point of a bucket", "AWS::S3::AccessPoint"),
    _resource("a distribution", "AWS::CloudFront::Distribution"),
    _resource("a parameter with a value", "AWS::SSM::Parameter", "{Type: String, Value: x}"),
    _resource("a machine", "AWS::EC2::Instance"),
    _resource("a topic that anybody may publish to", "AWS::SNS::TopicPolicy"),
    _resource(
        "a second subscriber of alarms",
        "AWS::SNS::Subscription",
        "{TopicArn: !Ref AlarmTopic, Protocol: https, Endpoint: 'https://x.example'}",
    ),
    deployed(
        "another type of a resource", "resource-form", "Type: AWS::SNS::Topic\n", "Type: AWS::CloudFormation::Stack\n"
    ),
    deployed(
        "a transformation of the template",
        "template-form",
        "  Conditions:\n",
        "  Transform: AWS::Serverless-2016-10-31\n  Conditions:\n",
    ),
    deployed(
        "outputs of the template", "template-form", "  Conditions:\n", "  Outputs: {X: {Value: x}}\n  Conditions:\n"
    ),
    deployed(
        "a condition of the stack more",
        "template-form",
        "  Conditions:\n",
        "  Conditions:\n    Never: !Equals [a, b]\n",
    ),
    deployed(
        "the shared role is made after all",
        "template-form",
        "!Equals [per-function, shared]",
        "!Equals [shared, shared]",
    ),
    deployed(
        "resources from another file",
        "deployment-unreadable",
        "resources:\n  Conditions:",
        "resources: ${file(x.yml)}\nothers:\n  Conditions:",
    ),
    _extension(
        "an extension of a function",
        "AppUnderscoresendLambdaFunction",
        "{Properties: {Handler: x}}",
        "deployment-hidden",
    ),
    _extension("an extension of a role", "AppUnderscoresendIamRoleLambdaExecution", "{Properties: {Policies: []}}"),
    _extension("an extension of the API", "HttpApi", "{Properties: {CorsConfiguration: {AllowOrigins: ['*']}}}"),
    _extension("an extension of a route", "HttpApiRoutePostAppSend", "{Properties: {AuthorizationType: NONE}}"),
    _extension("an extension of a log group", "AppUnderscoresendLogGroup", "{Properties: {RetentionInDays: 3653}}"),
    _extension(
        "an extension of a source of events",
        "QueueUnderscorereplyEventSourceMappingSQSReplyQueue",
        "{Properties: {Enabled: false}}",
    ),
    deployed(
        "a stage of the API without a throttle",
        "resource-form",
        "ThrottlingRateLimit: ${param:requestsPerSecond}",
        "ThrottlingRateLimit: 100000",
    ),
    deployed(
        "a stage of the API with another log",
        "resource-form",
        "    HttpApiStage:\n      Properties:\n",
        "    HttpApiStage:\n      Properties:\n        AccessLogSettings: {Format: $context.path}\n",
    ),
    deployed(
        "a stage of the API with route settings",
        "resource-form",
        "    HttpApiStage:\n      Properties:\n",
        "    HttpApiStage:\n      Properties:\n        RouteSettings: {}\n",
    ),
    deployed(
        "the shared role is given a policy",
        "resource-form",
        "      Condition: HasSharedRole\n",
        "      Condition: HasSharedRole\n      Properties: {Policies: []}\n",
    ),
    deployed(
        "a queue without encryption",
        "resource-form",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: true}",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: false}",
    ),
    deployed(
        "a queue without its dead-letter queue",
        "resource-missing",
        "        RedrivePolicy: {deadLetterTargetArn: !GetAtt SendDeadLetters.Arn, maxReceiveCount: 5}\n",
        "",
    ),
    deployed(
        "a queue that tries a thousand times",
        "resource-form",
        "SendDeadLetters.Arn, maxReceiveCount: 5",
        "SendDeadLetters.Arn, maxReceiveCount: 1000",
    ),
    deployed(
        "the dead-letter queue of another queue",
        "resource-missing",
        "!GetAtt SendDeadLetters.Arn, max",
        "!GetAtt ReplyDeadLetters.Arn, max",
    ),
    deployed(
        "a queue that forgets within a minute",
        "resource-missing",
        "        VisibilityTimeout: 180\n",
        "        VisibilityTimeout: 180\n        MessageRetentionPeriod: 60\n",
    ),
    deployed(
        "a queue that hands out a message twice", "resource-missing", "VisibilityTimeout: 360", "VisibilityTimeout: 30"
    ),
    deployed(
        "a queue that is not in order",
        "resource-missing",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: true}",
        "&queue {SqsManagedSseEnabled: true}",
    ),
    deployed(
        "a queue that anybody may send to",
        "resource-form",
        "Principal: {Service: events.amazonaws.com}",
        'Principal: "*"',
    ),
    deployed(
        "a queue that everything of AWS may send to",
        "resource-form",
        '              Condition: {ArnLike: {"aws:SourceArn"',
        '              Sid: x\n              Condition: {ArnLike: {"aws:SourceArn"',
    ),
    deployed(
        "a queue policy with every action",
        "resource-form",
        'Action: "sqs:SendMessage"\n              Resource: !GetAtt CronFailures.Arn',
        'Action: "sqs:*"\n              Resource: !GetAtt CronFailures.Arn',
    ),
    deployed("a queue policy for every rule", "resource-form", ":rule/${AWS::StackName}-*", ":rule/*"),
    deployed(
        "a queue policy of another queue", "resource-form", "Queues: [!Ref CronFailures]", "Queues: [!Ref ReplyQueue]"
    ),
    deployed(
        "a key that anybody may use",
        "resource-form",
        'Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}',
        'Principal: "*"',
    ),
    deployed(
        "a key that another account may use", "resource-form", "iam::${AWS::AccountId}:root", "iam::123456789012:root"
    ),
    deployed("a key that does not rotate", "resource-form", "EnableKeyRotation: true", "EnableKeyRotation: false"),
    deployed("a key that goes within a week", "resource-form", "PendingWindowInDays: 30", "PendingWindowInDays: 1"),
    deployed(
        "a key that goes with its stack",
        "resource-form",
        "DeletionPolicy: Retain",
        "DeletionPolicy: Delete",
        "CredentialsKey:",
    ),
    deployed(
        "an alias of another key",
        "resource-form",
        "TargetKeyId: !Ref CredentialsKey",
        "TargetKeyId: arn:aws:kms:x:1:key/x",
    ),
    deployed("a bucket with public lists", "resource-form", "BlockPublicAcls: true", "BlockPublicAcls: false"),
    deployed("a bucket with public policies", "resource-form", "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
    deployed(
        "a bucket that is not restricted",
        "resource-form",
        "RestrictPublicBuckets: true",
        "RestrictPublicBuckets: false",
    ),
    deployed(
        "a bucket without encryption",
        "resource-form",
        "            - ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}\n",
        "            []\n",
    ),
    deployed(
        "a bucket of other owners",
        "resource-form",
        "ObjectOwnership: BucketOwnerEnforced",
        "ObjectOwnership: ObjectWriter",
    ),
    deployed(
        "a bucket for every origin",
        "resource-form",
        'AllowedOrigins: !Split [" ", "${param:allowedOrigins}"]',
        'AllowedOrigins: ["*"]',
    ),
    deployed("a bucket that browsers read", "resource-form", "AllowedMethods: [POST]", "AllowedMethods: [POST, GET]"),
    deployed(
        "a bucket that is a web site",
        "resource-form",
        "        OwnershipControls:",
        "        WebsiteConfiguration: {IndexDocument: x}\n        OwnershipControls:",
    ),
    deployed(
        "a bucket that copies itself elsewhere",
        "resource-form",
        "        OwnershipControls:",
        "        ReplicationConfiguration: {}\n        OwnershipControls:",
    ),
    deployed(
        "a bucket that tells another function",
        "resource-form",
        "        OwnershipControls:",
        "        NotificationConfiguration: {}\n        OwnershipControls:",
    ),
    deployed("a bucket that keeps media for years", "resource-form", "ExpirationInDays: 31", "ExpirationInDays: 4000"),
    deployed(
        "a bucket that forgets nothing",
        "resource-missing",
        "        LifecycleConfiguration: {Rules: [{Id: forgotten, Status: Enabled, ExpirationInDays: 31}]}\n",
        "",
    ),
    deployed(
        "a bucket policy that allows anybody",
        "resource-form",
        '- Effect: Deny\n              Principal: "*"\n              Action: "s3:*"',
        '- Effect: Allow\n              Principal: "*"\n              Action: "s3:GetObject"',
    ),
    deployed(
        "a bucket policy that lets plain HTTP in",
        "resource-form",
        '"aws:SecureTransport": "false"',
        '"aws:SecureTransport": "never"',
    ),
    deployed(
        "a bucket policy of another bucket",
        "resource-missing",
        "Bucket: !Ref MediaBucket\n",
        "Bucket: !Ref KnowledgeBucket\n",
    ),
    deployed(
        "a bucket without its policy",
        "resource-missing",
        '    MediaBucketPolicy:\n      Type: AWS::S3::BucketPolicy\n      Properties:\n        Bucket: !Ref MediaBucket\n        PolicyDocument:\n          Version: "2012-10-17"\n          Statement:\n            - Effect: Deny\n              Principal: "*"\n              Action: "s3:*"\n              Resource: [!GetAtt MediaBucket.Arn, !Sub "${MediaBucket.Arn}/*"]\n              Condition: {Bool: {"aws:SecureTransport": "false"}}\n',
        "",
    ),
    deployed(
        "a metric that another log makes",
        "resource-form",
        "LogGroupName: !Ref QueueUnderscoresendLogGroup",
        "LogGroupName: other",
    ),
    deployed(
        "a metric that counts nothing",
        "resource-form",
        'MetricName: queue_send_unreadable, MetricValue: "1"',
        'MetricName: queue_send_unreadable, MetricValue: "0"',
    ),
    deployed("a metric of another text", "resource-form", '$.event = "credential unreadable"', "$.event = %nothing%"),
]
