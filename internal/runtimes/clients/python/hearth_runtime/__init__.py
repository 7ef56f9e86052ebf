"""Hearth's runtime client for Python 3.8 and later.

The interpreter boots before anybody knows which function it will run: start
loads what every function needs and waits for the start message on the control
descriptor. Then it takes over the function's environment, and server imports
the handler and serves invocations from the Runtime API until the environment
is ended.

What functions and callers see (messages, shapes of errors, log lines, the
context object) is that of AWS's own client, awslambdaric. The differences are
meant: coroutine functions are accepted as handlers, and named tuples in a
response become arrays.

Imports here are paid by every pre-booted environment, in memory: the HTTP
client is a page over _socket because socket and http.client would add half as
much again.
"""
