// Package telemetry is what Hearth tells about itself and its functions: logs
// and metrics.
//
// # Logs
//
// Every environment has a [LogStream], named as Lambda names them, in the group
// of its function. What the processes of the environment print goes in by
// [LogStream.Write]; the invoker adds Lambda's own lines ([LogStream.Start],
// [LogStream.End], [LogStream.Report]). [Logs.Read] returns a function's events
// in the order of time across its streams, and follows them as they come.
//
// Writing costs an append to a buffer under the stream's own lock and nothing
// else: one goroutine of [Logs] collects what is pending and publishes it to a
// JetStream stream, many lines in a message, at most [FlushEvery] after the
// first of them was written. So the death of the process (kill -9) loses at
// most the lines of the last [FlushEvery]; a stop loses none.
//
// A function may print without end. Each stream keeps [LineRate] bytes a second
// after a first [LineBurst]; what is beyond is dropped, whole lines, and one
// line in the log says how many. The reader of the function's output is slowed
// down meanwhile, so that the function waits on its pipe rather than keep the
// node busy. All streams together hold at most [MaxPending] bytes in memory,
// and what is stored is bounded by [LogOptions].
//
// # Metrics
//
// [Metrics] has the node's Prometheus metrics. What is counted for every
// invocation is resolved to counters once per function ([Metrics.Function]) and
// costs a few atomic additions after that. The number of time series is
// bounded: functions beyond the first [MaxFunctions] are counted together.
package telemetry
