// Package load is an HTTP load client for comparisons.
//
// [Run] is a closed loop: a number of clients, each with one keep-alive
// connection, each sending its next request when the answer to the last one is
// there. [Begin] is an open loop: requests are due at times that were fixed
// beforehand, whatever the server does, and what is measured is the time from
// when a request was due to its answer. A server that stops for a second is
// charged for all requests that were due in this second, not for the one that
// happened to be under way (which is called coordinated omission).
//
// Both are made so that what they measure is the server and not themselves:
// requests are bytes made beforehand, answers are read with the least parsing
// that is correct, every latency is kept (percentiles are exact), and next to
// nothing is allocated between the first request and the last. Requests are
// signed with AWS Signature Version 4. A signature holds the time to the
// second, so the same request is signed once a second and sent many times,
// which is what any client may do; the server sees and verifies a full
// signature every time.
package load
