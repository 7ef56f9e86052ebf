// Package runtimeapi serves the Lambda Runtime API to one environment: the
// plain HTTP interface under /2018-06-01/runtime/ that every Lambda runtime
// client (ours, aws-lambda-go, aws-lambda-ric, a shell script with curl) polls
// for invocations.
//
// An [Endpoint] belongs to exactly one environment:
//
//	e := runtimeapi.Serve(environment.RuntimeAPI(), runtimeapi.Options{})
//	defer e.Close()
//	<-e.Ready() // or e.InitError(), or the environment ends
//	result, err := e.Invoke(ctx, &runtimeapi.Invocation{...})
//
// # The warm path
//
// This is the hottest code of the product, which is why it is not built on
// net/http: with it a round trip takes about 1.6 times as long (1.2 times with
// valyala/fasthttp), ten times the allocations, and a goroutine parked inside
// a handler for every idle environment. BenchmarkRoundTrip and TestIdleMemory
// beside this file tell today's figures. The way of one invocation is
//
//	Invoke ── one write ──► the connection whose GET …/next waits
//	                        (function runs)
//	Invoke ◄─ one channel ─ the connection's goroutine, which read the POST,
//	                        and writes its 202 after handing over
//
// The goroutine of a connection never waits for an invocation; it is always
// reading. So the caller of Invoke writes the answer to the pending GET by
// itself, without waking anybody, and a connection that breaks while its GET
// is pending is noticed at once and never given an invocation. Where the
// caller came first, the GET's goroutine writes, and the caller sleeps on.
//
// # What the other end may do
//
// The other end is untrusted code. It can hold at most [MaxConnections]
// connections of a few KB each, make the host buffer one body of
// Options.MaxResponse at a time, and refuse itself service; it can't make
// anything here grow beyond that, block a caller past its context, or confuse
// one invocation with another. There are no timers: environments are frozen
// for any length of time, between any two bytes.
//
// Bodies with Lambda-Runtime-Function-Response-Mode: streaming are accepted
// and handed over whole.
//
// Status codes, error types and messages follow the Runtime API's OpenAPI
// document and, where that is silent, AWS's runtime interface emulator.
package runtimeapi
