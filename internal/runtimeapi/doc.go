// Package runtimeapi serves the Lambda Runtime API to one environment: the
// plain HTTP interface under /2018-06-01/runtime/ that every Lambda runtime
// client (ours, aws-lambda-go, aws-lambda-ric) polls for invocations.
//
// An [Endpoint] belongs to exactly one environment. The worker manager hands
// it an [Invocation]; the endpoint answers the environment's pending
// GET …/invocation/next with it and returns what the environment posts.
package runtimeapi
