// Package invoke is one invocation's way through the house, from the moment
// the API knows who asks for what until the answer is there.
//
// An [Invoker] resolves the function and the qualifier to a revision, keeps
// the concurrency limits, asks the worker manager for an environment, runs the
// invocation in it, writes its lines to the log and turns however it ended into
// the answer that Lambda gives. Its caller is the Lambda API.
package invoke
