"""A function's life by boto3. Prints one line of JSON for each thing done;
a failed assertion ends it with a traceback."""
import base64
import io
import json
import os
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config
import botocore.exceptions

# Named here because boto3 before 1.28 does not know the variable.
lambda_ = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=botocore.config.Config(retries={"max_attempts": 0}))
ROLE = "arn:aws:iam::000000000000:role/any"


def done(what, **more):
    print(json.dumps(dict(what=what, **more)), flush=True)


def package(answer):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("main.py", "def handler(event, context):\n    print('hello log')\n    return %r\n" % (answer,))
    return out.getvalue()


def refused(exception, call, **arguments):
    try:
        call(**arguments)
    except exception as e:
        return e.response
    raise AssertionError("%s was not refused" % call)


quick = {"Delay": 1, "MaxAttempts": 30}
made = lambda_.create_function(FunctionName="boto", Runtime="python3.12", Handler="main.handler", Role=ROLE, Code={"ZipFile": package("one")},
                               MemorySize=192, Tags={"a": "1"}, Environment={"Variables": {"KEY": "v"}})
assert made["ResponseMetadata"]["HTTPStatusCode"] == 201, made
lambda_.get_waiter("function_active_v2").wait(FunctionName="boto", WaiterConfig=quick)
done("created", arn=made["FunctionArn"])

answer = lambda_.invoke(FunctionName="boto", Payload=b"{}", LogType="Tail", ClientContext=base64.b64encode(b'{"custom":{}}').decode())
assert json.load(answer["Payload"]) == "one" and answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
assert b"hello log\n" in base64.b64decode(answer["LogResult"]), answer
dry = lambda_.invoke(FunctionName="boto", InvocationType="DryRun")
assert dry["StatusCode"] == 204, dry
done("invoked")

lambda_.update_function_code(FunctionName="boto", ZipFile=package("two"))
lambda_.get_waiter("function_updated_v2").wait(FunctionName="boto", WaiterConfig=quick)
assert json.load(lambda_.invoke(FunctionName="boto")["Payload"]) == "two"
revision = lambda_.get_function_configuration(FunctionName="boto")["RevisionId"]
lambda_.update_function_configuration(FunctionName="boto", Timeout=9, RevisionId=revision)
lambda_.get_waiter("function_updated_v2").wait(FunctionName="boto", WaiterConfig=quick)
stale = refused(lambda_.exceptions.PreconditionFailedException, lambda_.update_function_configuration, FunctionName="boto", Timeout=10, RevisionId=revision)
assert stale["ResponseMetadata"]["HTTPStatusCode"] == 412, stale
done("updated")

version = lambda_.publish_version(FunctionName="boto")["Version"]
lambda_.create_alias(FunctionName="boto", Name="live", FunctionVersion=version)
assert lambda_.invoke(FunctionName="boto", Qualifier="live")["ExecutedVersion"] == version
assert lambda_.invoke(FunctionName=made["FunctionArn"] + ":live")["ExecutedVersion"] == version
assert [a["Name"] for a in lambda_.list_aliases(FunctionName="boto")["Aliases"]] == ["live"]
pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName="boto", PaginationConfig={"PageSize": 1})
assert [v["Version"] for page in pages for v in page["Versions"]] == ["$LATEST", version]
lambda_.delete_alias(FunctionName="boto", Name="live")
done("published")

missing = refused(lambda_.exceptions.ResourceNotFoundException, lambda_.get_function, FunctionName="absent")
assert missing["Type"] == "User", missing
refused(lambda_.exceptions.ResourceConflictException, lambda_.create_function, FunctionName="boto", Runtime="python3.12", Handler="main.handler", Role=ROLE,
        Code={"ZipFile": package("x")})
refused(lambda_.exceptions.InvalidParameterValueException, lambda_.update_function_code, FunctionName="boto", ZipFile=b"no zip")
refused(lambda_.exceptions.InvalidRequestContentException, lambda_.invoke, FunctionName="boto", Payload=b"{")
large = refused(botocore.exceptions.ClientError, lambda_.invoke, FunctionName="boto", Payload=b'"' + b"x" * (6 << 20) + b'"')
assert large["ResponseMetadata"]["HTTPStatusCode"] == 413, large
lambda_.put_function_concurrency(FunctionName="boto", ReservedConcurrentExecutions=0)
throttled = refused(lambda_.exceptions.TooManyRequestsException, lambda_.invoke, FunctionName="boto")
assert throttled["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", throttled
assert throttled["ResponseMetadata"]["HTTPStatusCode"] == 429, throttled
lambda_.delete_function_concurrency(FunctionName="boto")
done("refused")

url = lambda_.generate_presigned_url("invoke", Params={"FunctionName": "boto"}, ExpiresIn=60)
with urllib.request.urlopen(urllib.request.Request(url, data=b"", method="POST")) as response:
    assert json.load(response) == "two"
try:
    urllib.request.urlopen(urllib.request.Request(url.replace("boto", "other"), data=b"", method="POST"))
    raise AssertionError("a presigned URL for another function was accepted")
except urllib.error.HTTPError as e:
    assert e.code == 403, e
done("presigned")

location = lambda_.get_function(FunctionName="boto")["Code"]["Location"]
with urllib.request.urlopen(location) as response:
    assert zipfile.ZipFile(io.BytesIO(response.read())).namelist() == ["main.py"]
lambda_.delete_function(FunctionName="boto")
refused(lambda_.exceptions.ResourceNotFoundException, lambda_.invoke, FunctionName="boto")
done("deleted")
