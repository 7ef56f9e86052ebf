// Package client is how the hearth command speaks to a node: Lambda's API by
// the AWS SDK, and Hearth's own under /hearth/v1/ by requests signed the same way.
//
//	c, err := client.Open(ctx, client.Options{})
//	answer, err := c.Invoke(ctx, client.Invocation{Function: "hello", Payload: []byte(`{}`)})
//
// [Open] finds the node and the credentials where AWS's tools look for them,
// and after that in a node's data directory. Requests go to that node and never
// to AWS, and no instance metadata is asked for.
//
// Errors are meant for people: they say what to do. [UnreachableError],
// [CredentialsError], [NotFoundError] and [APIError] tell them apart.
package client
