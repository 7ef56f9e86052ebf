// Package lambdaapi serves the AWS Lambda API over HTTP.
//
//	api, err := lambdaapi.New(lambdaapi.Options{Region: "us-east-1", Catalog: …, Accounts: …, CodeStore: …, Invoker: …})
//	http.Serve(listener, api)
//
// Every request goes the same way: its operation is found by method and path,
// its body is read once, its signature is checked ([sigv4]), its input parsed
// and validated by the API's facts ([model]) and handed to the operation's
// handler as a type of package [wire]. A handler returns an output or an error;
// one function turns every error of the rooms below into the exception, status
// and JSON that Lambda answers. Which operations there are, and what Hearth does
// of each, stands in one table, from which docs/compatibility.md is made.
//
// Invoke is the way that must be short: a plain name that the catalog knows
// needs no validation, so that it passes through neither reflection nor regular
// expressions.
//
// Accounts see nothing of each other. A function of another account can be
// named by its ARN; what the caller may do with it is for the function's
// resource-based policy to say.
//
// Hearth's own API, under /hearth/, passes through the same check of signatures
// and is served by a handler given in [Options]; it learns who calls from
// [AccountFrom].
package lambdaapi
