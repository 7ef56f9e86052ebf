"""The context object that a handler gets."""

import json
import os
import sys
import time

from .errors import Fault


class Record:
    """An object with the attributes named in __slots__, None where unknown."""

    __slots__ = ()

    def __init__(self, values):
        get = values.get
        for name in self.__slots__:
            setattr(self, name, get(name))

    def __repr__(self):
        return "%s([%s])" % (type(self).__name__, ",".join(f"{n}={getattr(self, n)}" for n in self.__slots__))


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


IDENTITY = {"cognitoIdentityId": "cognito_identity_id", "cognitoIdentityPoolId": "cognito_identity_pool_id"}


class Client(Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


class LambdaContext:
    def __init__(self, function, invocation):
        self.__dict__.update(function)
        get = invocation.get
        self.aws_request_id = get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = get("lambda-runtime-invoked-function-arn")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        client = header_json(invocation, "lambda-runtime-client-context", "Client Context")
        self.client_context = None if client is None else ClientContext(client)
        identity = header_json(invocation, "lambda-runtime-cognito-identity", "Cognito Identity")
        self.identity = CognitoIdentity(identity and {IDENTITY.get(k, k): v for k, v in identity.items()} or {})
        self._epoch_deadline_time_in_ms = int(get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return (
            f"LambdaContext([aws_request_id={self.aws_request_id},log_group_name={self.log_group_name},"
            f"log_stream_name={self.log_stream_name},function_name={self.function_name},"
            f"memory_limit_in_mb={self.memory_limit_in_mb},function_version={self.function_version},"
            f"invoked_function_arn={self.invoked_function_arn},client_context={self.client_context},"
            f"identity={self.identity},tenant_id={self.tenant_id}])"
        )


def function_members():
    """The members of the context that are the same for all invocations."""
    env = os.environ.get
    return {
        "log_group_name": env("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": env("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": env("AWS_LAMBDA_FUNCTION_NAME"),
        "memory_limit_in_mb": env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "function_version": env("AWS_LAMBDA_FUNCTION_VERSION"),
    }


def header_json(invocation, header, name):
    text = invocation.get(header)
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {e}")
