"""The table: each property of each admitted type, and what it may hold. What is not in it is refused.

A type's properties are listed by rule. ``A.{B C}`` is short for ``A.B A.C``; ``[]`` stands for each item of a list (or
a single value), ``*`` for each name that the template chooses. `worker.deploy.gate.ownership` applies it, and a test
compares it with AWS's schemas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PropertyRule:
    """What a property may hold.

    Attributes:
        kind: ``plain``: text, numbers or lists of them; ``free``: any document; ``judged``: what `allow_list`,
            `wiring` or `apis` demands; ``never``: nothing; ``name``: a name in the app's namespace;
            ``points``: something of this template, of the app's namespace, or granted.
        own: types of this template, with the attribute that refers to them, as in ``SQS::Queue.Arn``.
        grants: fields of `auto_lambda.grants.Grants` of which one has to list it.
    """

    kind: Literal["plain", "free", "judged", "never", "name", "points"]
    own: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


PLAIN, FREE, JUDGED, NEVER = PropertyRule("plain"), PropertyRule("free"), PropertyRule("judged"), PropertyRule("never")
NAME, TABLE_NAME = PropertyRule("name"), PropertyRule("name", grants=("tables",))


def _own(*places: str) -> PropertyRule:
    return PropertyRule("points", own=places)


REST_API, HTTP_API = _own("ApiGateway::RestApi"), _own("ApiGatewayV2::Api")
REST_DOMAIN, HTTP_DOMAIN = _own("ApiGateway::DomainName"), _own("ApiGatewayV2::DomainName")
DEPLOYMENT, HTTP_DEPLOYMENT = _own("ApiGateway::Deployment"), _own("ApiGatewayV2::Deployment")
FUNCTION = _own("Lambda::Function", "Lambda::Function.Arn")
LOG_GROUP = _own("Logs::LogGroup.Arn")
PARENT = _own("ApiGateway::Resource", "ApiGateway::RestApi.RootResourceId")
ROLE = _own("IAM::Role", "IAM::Role.Arn")
KEY = PropertyRule("points", grants=("keys",))
QUEUE = PropertyRule("points", own=("SQS::Queue.Arn",), grants=("queues",))
TOPIC = PropertyRule("points", own=("SNS::Topic", "SNS::Topic.TopicArn"), grants=("topics",))
FAILURES = PropertyRule("points", own=(*QUEUE.own, *TOPIC.own), grants=("queues", "topics"))
DESTINATION = PropertyRule(
    "points", own=(*FAILURES.own, "Lambda::Alias"), grants=("queues", "topics", "functions", "buses", "buckets")
)
EVENTS = PropertyRule("points", own=(*QUEUE.own, "DynamoDB::Table.StreamArn"), grants=("queues", "streams"))
AUTHORIZER_URI = PropertyRule("points", own=("Lambda::Alias",), grants=("functions",))
CALLER = PropertyRule(
    "points",
    own=("Events::Rule.Arn", *TOPIC.own, "ApiGateway::RestApi", "ApiGatewayV2::Api"),
    grants=("topics", "buckets", "user_pools"),
)

_TAGS = "Tags[].{Key Value}"
_STATEMENT = "PolicyDocument.Statement[].{Sid Effect Action[] Resource[]}"
_FORBIDDEN_STATEMENT = "PolicyDocument.Statement[].{NotAction NotResource Principal NotPrincipal}"
_LEVELS = (
    "{CacheDataEncrypted CacheTtlInSeconds CachingEnabled DataTraceEnabled HttpMethod LoggingLevel MetricsEnabled "
    "ResourcePath ThrottlingBurstLimit ThrottlingRateLimit}"
)
_KEYS = "KeySchema[].{AttributeName KeyType}"
_INDEX = (
    "IndexName KeySchema[].AttributeName KeySchema[].KeyType Projection.NonKeyAttributes[] Projection.ProjectionType"
)

_TABLE: Mapping[str, Mapping[PropertyRule, str]] = {
    "ApiGateway::ApiKey": {
        PLAIN: f"Description Enabled GenerateDistinctId Name StageKeys[].StageName Value {_TAGS}",
        REST_API: "StageKeys[].RestApiId",
        NEVER: "CustomerId",
    },
    "ApiGateway::Authorizer": {
        PLAIN: "AuthType AuthorizerResultTtlInSeconds IdentitySource IdentityValidationExpression Name Type",
        REST_API: "RestApiId",
        AUTHORIZER_URI: "AuthorizerUri",
        PropertyRule("points", grants=("user_pools",)): "ProviderARNs[]",
        NEVER: "AuthorizerCredentials",
    },
    "ApiGateway::BasePathMapping": {
        PLAIN: "BasePath Stage",
        REST_API: "RestApiId",
        REST_DOMAIN: "DomainName",
    },
    "ApiGateway::Deployment": {
        PLAIN: "Description",
        REST_API: "RestApiId",
        NEVER: "DeploymentCanarySettings StageDescription StageName",
    },
    "ApiGateway::DomainName": {
        PLAIN: f"EndpointConfiguration.{{IpAddressType Types[]}} SecurityPolicy {_TAGS}",
        JUDGED: "DomainName RegionalCertificateArn",
        NEVER: "CertificateArn EndpointAccessMode MutualTlsAuthentication "
        "OwnershipVerificationCertificateArn RoutingMode",
    },
    "ApiGateway::GatewayResponse": {
        PLAIN: "ResponseParameters.* ResponseTemplates.* ResponseType StatusCode",
        REST_API: "RestApiId",
    },
    "ApiGateway::Method": {
        PLAIN: "ApiKeyRequired AuthorizationScopes[] AuthorizationType HttpMethod OperationName RequestModels.* "
        "RequestParameters.* MethodResponses[].{ResponseModels.* ResponseParameters.* StatusCode} "
        "Integration.{CacheKeyParameters[] CacheNamespace ContentHandling IntegrationHttpMethod PassthroughBehavior "
        "RequestParameters.* RequestTemplates.* ResponseTransferMode TimeoutInMillis} "
        "Integration.IntegrationResponses[].{ContentHandling ResponseParameters.* ResponseTemplates.* "
        "SelectionPattern StatusCode}",
        REST_API: "RestApiId",
        PARENT: "ResourceId",
        _own("ApiGateway::Authorizer"): "AuthorizerId",
        _own("ApiGateway::RequestValidator"): "RequestValidatorId",
        JUDGED: "Integration.{Type Uri}",
        NEVER: "Integration.{ConnectionId ConnectionType Credentials IntegrationTarget}",
    },
    "ApiGateway::Model": {
        PLAIN: "ContentType Description Name",
        FREE: "Schema",
        REST_API: "RestApiId",
    },
    "ApiGateway::RequestValidator": {
        PLAIN: "Name ValidateRequestBody ValidateRequestParameters",
        REST_API: "RestApiId",
    },
    "ApiGateway::Resource": {PLAIN: "PathPart", REST_API: "RestApiId", PARENT: "ParentId"},
    "ApiGateway::RestApi": {
        PLAIN: "ApiKeySourceType BinaryMediaTypes[] Description DisableExecuteApiEndpoint EndpointAccessMode "
        f"EndpointConfiguration.{{IpAddressType Types[]}} FailOnWarnings MinimumCompressionSize Name Parameters.* "
        f"SecurityPolicy Version {_TAGS}",
        FREE: "Policy",  # who may call the API
        JUDGED: "Body",
        PropertyRule("points", grants=("vpc_endpoints",)): "EndpointConfiguration.VpcEndpointIds[]",
        NEVER: "BodyS3Location CloneFrom Mode",
    },
    "ApiGateway::Stage": {
        PLAIN: "AccessLogSetting.Format CacheClusterEnabled CacheClusterSize Description DocumentationVersion "
        f"MethodSettings[].{_LEVELS} StageName TracingEnabled Variables.* {_TAGS}",
        REST_API: "RestApiId",
        DEPLOYMENT: "DeploymentId",
        LOG_GROUP: "AccessLogSetting.DestinationArn",
        NEVER: "CanarySetting ClientCertificateId",
    },
    "ApiGateway::UsagePlan": {
        PLAIN: "ApiStages[].{Stage Throttle.*.BurstLimit Throttle.*.RateLimit} Description UsagePlanName "
        f"Quota.{{Limit Offset Period}} Throttle.{{BurstLimit RateLimit}} {_TAGS}",
        REST_API: "ApiStages[].ApiId",
    },
    "ApiGateway::UsagePlanKey": {
        PLAIN: "KeyType",
        PropertyRule("points", own=("ApiGateway::ApiKey",), grants=("api_keys",)): "KeyId",
        _own("ApiGateway::UsagePlan"): "UsagePlanId",
    },
    "ApiGatewayV2::Api": {
        PLAIN: "ApiKeySelectionExpression Description DisableExecuteApiEndpoint DisableSchemaValidation "
        "CorsConfiguration.{AllowCredentials AllowHeaders[] AllowMethods[] AllowOrigins[] ExposeHeaders[] MaxAge} "
        "FailOnWarnings IpAddressType Name ProtocolType RouteSelectionExpression Tags.* Version",
        NEVER: "BasePath Body BodyS3Location CredentialsArn RouteKey Target",
    },
    "ApiGatewayV2::ApiMapping": {
        PLAIN: "ApiMappingKey Stage",
        HTTP_API: "ApiId",
        HTTP_DOMAIN: "DomainName",
    },
    "ApiGatewayV2::Authorizer": {
        PLAIN: "AuthorizerPayloadFormatVersion AuthorizerResultTtlInSeconds AuthorizerType EnableSimpleResponses "
        "IdentitySource[] IdentityValidationExpression JwtConfiguration.{Audience[] Issuer} Name",
        HTTP_API: "ApiId",
        AUTHORIZER_URI: "AuthorizerUri",
        NEVER: "AuthorizerCredentialsArn",
    },
    "ApiGatewayV2::Deployment": {PLAIN: "Description StageName", HTTP_API: "ApiId"},
    "ApiGatewayV2::DomainName": {
        PLAIN: "DomainNameConfigurations[].{EndpointType IpAddressType SecurityPolicy} Tags.*",
        JUDGED: "DomainName DomainNameConfigurations[].CertificateArn",
        NEVER: "DomainNameConfigurations[].{CertificateName OwnershipVerificationCertificateArn} "
        "MutualTlsAuthentication RoutingMode",
    },
    "ApiGatewayV2::Integration": {
        PLAIN: "ConnectionType ContentHandlingStrategy Description IntegrationMethod PassthroughBehavior "
        "PayloadFormatVersion RequestParameters.* RequestTemplates.* TemplateSelectionExpression TimeoutInMillis",
        FREE: "ResponseParameters",
        HTTP_API: "ApiId",
        JUDGED: "IntegrationType IntegrationUri",
        NEVER: "ConnectionId CredentialsArn IntegrationSubtype TlsConfig",
    },
    "ApiGatewayV2::Route": {
        PLAIN: "ApiKeyRequired AuthorizationScopes[] AuthorizationType ModelSelectionExpression OperationName "
        "RequestModels.* RouteKey RouteResponseSelectionExpression",
        FREE: "RequestParameters",
        HTTP_API: "ApiId",
        _own("ApiGatewayV2::Authorizer"): "AuthorizerId",
        _own("ApiGatewayV2::Integration"): "Target",
    },
    "ApiGatewayV2::RouteResponse": {
        PLAIN: "ModelSelectionExpression ResponseModels.* RouteResponseKey",
        FREE: "ResponseParameters",
        HTTP_API: "ApiId",
        _own("ApiGatewayV2::Route"): "RouteId",
    },
    "ApiGatewayV2::Stage": {
        PLAIN: "AccessLogSettings.Format AutoDeploy Description DefaultRouteSettings.{DataTraceEnabled "
        "DetailedMetricsEnabled LoggingLevel ThrottlingBurstLimit ThrottlingRateLimit} StageName StageVariables.* "
        "Tags.*",
        FREE: "RouteSettings",
        HTTP_API: "ApiId",
        HTTP_DEPLOYMENT: "DeploymentId",
        LOG_GROUP: "AccessLogSettings.DestinationArn",
        NEVER: "ClientCertificateId",
    },
    "DynamoDB::Table": {
        PLAIN: "AttributeDefinitions[].{AttributeName AttributeType} BillingMode TableClass "
        f"ContributorInsightsSpecification.{{Enabled Mode}} {_KEYS} LocalSecondaryIndexes[].{{{_INDEX}}} "
        f"GlobalSecondaryIndexes[].{{{_INDEX} ContributorInsightsSpecification.Enabled "
        "ContributorInsightsSpecification.Mode OnDemandThroughput.MaxReadRequestUnits "
        "OnDemandThroughput.MaxWriteRequestUnits ProvisionedThroughput.ReadCapacityUnits "
        "ProvisionedThroughput.WriteCapacityUnits} OnDemandThroughput.{MaxReadRequestUnits MaxWriteRequestUnits} "
        "PointInTimeRecoverySpecification.{PointInTimeRecoveryEnabled RecoveryPeriodInDays} "
        "ProvisionedThroughput.{ReadCapacityUnits WriteCapacityUnits} SSESpecification.{SSEEnabled SSEType} "
        "StreamSpecification.StreamViewType StreamSpecification.Tags[].{Key Value} KinesisStreamSpecification."
        f"ApproximateCreationDateTimePrecision TimeToLiveSpecification.{{AttributeName Enabled}} {_TAGS}",
        TABLE_NAME: "TableName",
        KEY: "SSESpecification.KMSMasterKeyId",
        PropertyRule("points", grants=("streams",)): "KinesisStreamSpecification.StreamArn",
        NEVER: "DeletionProtectionEnabled ImportSourceSpecification ResourcePolicy StreamSpecification.ResourcePolicy "
        "VectorIndexes WarmThroughput GlobalSecondaryIndexes[].WarmThroughput",
    },
    "Events::Rule": {
        PLAIN: f"Description ScheduleExpression State Targets[].{{Id Input InputPath InputTransformer.InputPathsMap.* "
        f"InputTransformer.InputTemplate RetryPolicy.MaximumEventAgeInSeconds RetryPolicy.MaximumRetryAttempts}} "
        f"{_TAGS}",
        FREE: "EventPattern",
        NAME: "Name",
        PropertyRule("points", grants=("buses",)): "EventBusName",
        JUDGED: "Targets[].Arn",
        QUEUE: "Targets[].DeadLetterConfig.Arn",
        NEVER: "RoleArn Targets[].{AppSyncParameters BatchParameters EcsParameters HttpParameters KinesisParameters "
        "RedshiftDataParameters RoleArn RunCommandParameters SageMakerPipelineParameters SqsParameters}",
    },
    "IAM::Policy": {
        PLAIN: f"PolicyName PolicyDocument.{{Version Id}} {_STATEMENT}",
        FREE: "PolicyDocument.Statement[].Condition",
        JUDGED: "Roles[]",
        NEVER: f"Groups Users {_FORBIDDEN_STATEMENT}",
    },
    "IAM::Role": {
        PLAIN: "Description MaxSessionDuration Policies[].PolicyName "
        f"Policies[].PolicyDocument.{{Version Id}} Policies[].{_STATEMENT} {_TAGS}",
        FREE: "Policies[].PolicyDocument.Statement[].Condition",
        NAME: "RoleName",
        JUDGED: "AssumeRolePolicyDocument Path PermissionsBoundary",
        PropertyRule("points", grants=("managed_policies",)): "ManagedPolicyArns[]",
        NEVER: f"Policies[].{_FORBIDDEN_STATEMENT}",
    },
    "Lambda::Alias": {
        PLAIN: "Description ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions",
        FUNCTION: "FunctionName",
        JUDGED: "FunctionVersion Name",
        NEVER: "RoutingConfig",
    },
    "Lambda::EventInvokeConfig": {
        PLAIN: "MaximumEventAgeInSeconds MaximumRetryAttempts",
        FUNCTION: "FunctionName",
        DESTINATION: "DestinationConfig.{OnFailure.Destination OnSuccess.Destination}",
        JUDGED: "Qualifier",
    },
    "Lambda::EventSourceMapping": {
        PLAIN: "BatchSize BisectBatchOnFunctionError Enabled FilterCriteria.Filters[].Pattern FunctionResponseTypes[] "
        "LoggingConfig.SystemLogLevel MaximumBatchingWindowInSeconds MaximumRecordAgeInSeconds MaximumRetryAttempts "
        "MetricsConfig.Metrics[] ParallelizationFactor ScalingConfig.MaximumConcurrency StartingPosition "
        f"StartingPositionTimestamp TumblingWindowInSeconds {_TAGS}",
        EVENTS: "EventSourceArn",
        KEY: "KmsKeyArn",
        DESTINATION: "DestinationConfig.OnFailure.Destination",
        JUDGED: "FunctionName",
        NEVER: "AmazonManagedKafkaEventSourceConfig DocumentDBEventSourceConfig ProvisionedPollerConfig Queues "
        "SelfManagedEventSource SelfManagedKafkaEventSourceConfig SourceAccessConfigurations Topics",
    },
    "Lambda::Function": {
        PLAIN: "Architectures[] Description DurableConfig.{ExecutionTimeout RetentionPeriodInDays} "
        "Environment.Variables.* EphemeralStorage.Size FileSystemConfigs[].LocalMountPath Handler "
        "LoggingConfig.{ApplicationLogLevel LogFormat SystemLogLevel} MemorySize RecursiveLoop "
        "ReservedConcurrentExecutions Runtime RuntimeManagementConfig.UpdateRuntimeOn SnapStart.ApplyOn Timeout "
        f"TenancyConfig.TenantIsolationMode TracingConfig.Mode VpcConfig.Ipv6AllowedForDualStack {_TAGS}",
        NAME: "FunctionName",
        JUDGED: "Code",
        PropertyRule("points", own=("IAM::Role.Arn",), grants=("roles",)): "Role",
        FAILURES: "DeadLetterConfig.TargetArn",
        KEY: "KmsKeyArn DurableConfig.KMSKeyArn",
        PropertyRule("points", own=("Lambda::LayerVersion",), grants=("layers",)): "Layers[]",
        PropertyRule("points", own=("Logs::LogGroup",)): "LoggingConfig.LogGroup",
        PropertyRule("points", grants=("file_systems",)): "FileSystemConfigs[].Arn",
        PropertyRule("points", grants=("subnets",)): "VpcConfig.SubnetIds[]",
        PropertyRule("points", grants=("security_groups",)): "VpcConfig.SecurityGroupIds[]",
        NEVER: "CapacityProviderConfig CodeSigningConfigArn FileSystemConfigs[].S3FilesConfig FunctionScalingConfig "
        "ImageConfig PackageType PublishToLatestPublished RuntimeManagementConfig.RuntimeVersionArn",
    },
    "Lambda::LayerVersion": {
        PLAIN: "CompatibleArchitectures[] CompatibleRuntimes[] Description LicenseInfo",
        NAME: "LayerName",
        JUDGED: "Content",
    },
    "Lambda::Permission": {
        PLAIN: "Action FunctionUrlAuthType InvokedViaFunctionUrl PrincipalOrgID SourceAccount",
        JUDGED: "FunctionName Principal",
        CALLER: "SourceArn",
        NEVER: "EventSourceToken",
    },
    "Lambda::Url": {
        PLAIN: "AuthType Cors.{AllowCredentials AllowHeaders[] AllowMethods[] AllowOrigins[] ExposeHeaders[] MaxAge} "
        "InvokeMode",
        FUNCTION: "TargetFunctionArn",
        JUDGED: "Qualifier",
    },
    "Logs::LogGroup": {
        PLAIN: f"LogGroupClass RetentionInDays {_TAGS}",
        FREE: "FieldIndexPolicies",
        NAME: "LogGroupName",
        KEY: "KmsKeyId",
        NEVER: "BearerTokenAuthenticationEnabled DataProtectionPolicy DeletionProtectionEnabled ResourcePolicyDocument",
    },
    "Route53::RecordSet": {
        PLAIN: "SetIdentifier TTL Weight",
        JUDGED: "HostedZoneId Name ResourceRecords[] Type",
        NEVER: "AliasTarget CidrRoutingConfig Comment Failover GeoLocation GeoProximityLocation HealthCheckId "
        "HostedZoneName MultiValueAnswer Region",
    },
    "SNS::Subscription": {
        PLAIN: "FilterPolicyScope RawMessageDelivery Region",
        FREE: "DeliveryPolicy FilterPolicy",
        TOPIC: "TopicArn",
        QUEUE: "RedrivePolicy.deadLetterTargetArn",
        JUDGED: "Endpoint Protocol",
        NEVER: "ReplayPolicy SubscriptionRoleArn",
    },
    "SNS::Topic": {
        PLAIN: "ContentBasedDeduplication DisplayName FifoThroughputScope FifoTopic MaximumMessageSize "
        f"SignatureVersion TracingConfig {_TAGS}",
        FREE: "ArchivePolicy",
        NAME: "TopicName",
        KEY: "KmsMasterKeyId",
        NEVER: "DataProtectionPolicy DeliveryStatusLogging Subscription",
    },
    "SQS::Queue": {
        PLAIN: "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit "
        "KmsDataKeyReusePeriodSeconds MaximumMessageSize MessageRetentionPeriod ReceiveMessageWaitTimeSeconds "
        f"RedrivePolicy.maxReceiveCount RedriveAllowPolicy.redrivePermission SqsManagedSseEnabled "
        f"VisibilityTimeout {_TAGS}",
        NAME: "QueueName",
        KEY: "KmsMasterKeyId",
        QUEUE: "RedrivePolicy.deadLetterTargetArn RedriveAllowPolicy.sourceQueueArns[]",
    },
    "Scheduler::Schedule": {
        PLAIN: "Description EndDate FlexibleTimeWindow.{MaximumWindowInMinutes Mode} ScheduleExpression "
        "ScheduleExpressionTimezone StartDate State Target.{Input RetryPolicy.MaximumEventAgeInSeconds "
        "RetryPolicy.MaximumRetryAttempts}",
        NAME: "Name",
        KEY: "KmsKeyArn",
        QUEUE: "Target.DeadLetterConfig.Arn",
        JUDGED: "Target.Arn",
        ROLE: "Target.RoleArn",
        NEVER: "GroupName Target.{EcsParameters EventBridgeParameters KinesisParameters SageMakerPipelineParameters "
        "SqsParameters}",
    },
}  # fmt: skip


def _paths(text: str) -> Iterator[str]:
    for prefix, inner in re.findall(r"([^\s{}]+)(?:\{([^}]*)\})?", text):
        yield from (f"{prefix}{name}" for name in inner.split()) if inner else (prefix,)


PROPERTIES: Mapping[str, Mapping[str, PropertyRule]] = {
    f"AWS::{kind}": {path: rule for rule, text in rules.items() for path in _paths(text)}
    for kind, rules in _TABLE.items()
}
"""For each admitted type the rule of each path, as in ``VpcConfig.SubnetIds[]``."""
