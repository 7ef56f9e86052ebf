// Package e2e holds the end-to-end tests: a real node, spoken to by the tools
// that users have (the AWS CLI, boto3, the AWS SDKs for Go and JavaScript, the
// hearth command), and functions that behave well, badly and maliciously.
//
// Most tests share one node and have an account of their own on it ([tenant]),
// so that they run in parallel and see nothing of each other, which is itself
// something Hearth promises. A test about the node starts its own.
//
// Functions under test are in testdata/functions; test/functions has those
// that must be compiled.
package e2e
