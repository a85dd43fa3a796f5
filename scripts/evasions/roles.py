"""Evasions by the permissions of functions' roles."""

from scripts.evasions.evasion import SEND_ENTRY, Evasion, deployed, entry

_QUEUE_ROLE = '{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt SendQueue.Arn}'
_BUCKET_ROLE = '{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${MediaBucket.Arn}/*"}'


def _role(name: str, rule: str, old: str, new: str) -> Evasion:
    return deployed(name, rule, old, new, SEND_ENTRY)


ROLES = [
    _role("every action", "role-excess", '"s3:PutObject"', '"*"'),
    _role("every action of S3", "role-excess", '"s3:PutObject"', '"s3:*"'),
    _role("every action that puts", "role-excess", '"s3:PutObject"', '"s3:Put*"'),
    _role("one action more", "role-excess", '"s3:PutObject"', '["s3:PutObject", "s3:GetObject"]'),
    _role("a list of the bucket", "role-excess", '"s3:PutObject"', '["s3:PutObject", "s3:ListBucket"]'),
    _role("every resource", "role-excess", '!Sub "${MediaBucket.Arn}/*"', '"*"'),
    _role(
        "the other bucket too",
        "role-excess",
        '!Sub "${MediaBucket.Arn}/*"',
        '[!Sub "${MediaBucket.Arn}/*", !Sub "${KnowledgeBucket.Arn}/*"]',
    ),
    _role("every queue", "role-excess", "!GetAtt SendQueue.Arn}", '"arn:aws:sqs:*:*:*"}'),
    _role("another queue", "role-missing", "!GetAtt SendQueue.Arn}", "!GetAtt ReplyQueue.Arn}"),
    _role("every parameter", "role-excess", "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]", '"*"'),
    _role(
        "every parameter of the stage",
        "role-excess",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY, !Sub 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/portero/${sls:stage}/*']",
    ),
    _role(
        "a parameter too much",
        "role-excess",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY, *SUPABASE_SECRET_KEY]",
    ),
    _role(
        "a parameter too few", "role-missing", "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]", "[*UPSTASH_REDIS_REST_TOKEN]"
    ),
    _role(
        "another action on parameters",
        "role-excess",
        '"ssm:GetParameters"',
        '["ssm:GetParameters", "ssm:PutParameter"]',
    ),
    _role("NotAction", "role-form", 'Action: "s3:PutObject"', 'NotAction: "s3:DeleteBucket"'),
    _role("NotResource", "role-form", 'Resource: !Sub "${MediaBucket.Arn}/*"', 'NotResource: "x"'),
    _role("a statement with a principal", "role-form", _BUCKET_ROLE, _BUCKET_ROLE[:-1] + ', Principal: "*"}'),
    _role(
        "a statement that denies",
        "role-form",
        '{Effect: Allow, Action: "s3:PutObject"',
        '{Effect: Deny, Action: "s3:PutObject"',
    ),
    _role(
        "a statement more",
        "role-excess",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "iam:PassRole", Resource: "*"}}',
    ),
    _role(
        "a statement that lets it call functions",
        "role-excess",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "lambda:InvokeFunction", Resource: "*"}}',
    ),
    _role(
        "a statement that lets it become another role",
        "role-excess",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}}',
    ),
    _role("a statement less", "role-missing", f"      - {_QUEUE_ROLE}\n", ""),
    _role("a condition more", "role-missing", _QUEUE_ROLE, _QUEUE_ROLE[:-1] + ", Condition: {Bool: {x: 'true'}}}"),
    _role(
        "statements from another file",
        "role-form",
        "    iamRoleStatements:\n",
        "    iamRoleStatements: ${file(x.yml)}\n    others:\n",
    ),
    deployed(
        "Deny that became Allow for a bucket",
        "resource-form",
        "- Effect: Deny",
        "- Effect: Allow",
        "KnowledgeBucketPolicy:",
    ),
    deployed(
        "a role that decrypts for every purpose",
        "role-excess",
        '        Condition: {StringEquals: {"kms:EncryptionContext:purpose": credentials}}\n',
        "",
    ),
    deployed(
        "a role that decrypts with every key", "role-excess", "Resource: !GetAtt CredentialsKey.Arn", 'Resource: "*"'
    ),
    deployed(
        "a role that encrypts too", "role-excess", 'Action: "kms:Decrypt"', 'Action: ["kms:Decrypt", "kms:Encrypt"]'
    ),
    deployed(
        "a public function with a role",
        "role-excess",
        "    iamRoleStatements: []\n    events:\n      - httpApi",
        '    iamRoleStatements: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]\n    events:\n      - httpApi',
    ),
    entry("a role that does not inherit", "template-form", "iamRoleStatementsInherit: true"),
    entry("a name of its own for the role", "template-form", "iamRoleStatementsName: admin"),
]
