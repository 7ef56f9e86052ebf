// Package load is a closed-loop HTTP load client for comparisons: a number of
// clients, each with one keep-alive connection, each sending its next request
// when the answer to the last one is there.
//
// It is made so that what it measures is the server and not itself: requests
// are bytes made beforehand, answers are read with the least parsing that is
// correct, every latency is kept (percentiles are exact), and nothing is
// allocated between the first request and the last. Requests are signed with
// AWS Signature Version 4. A signature holds the time to the second, so the
// same request is signed once a second and sent many times, which is what any
// client may do; the server sees and verifies a full signature every time.
package load
