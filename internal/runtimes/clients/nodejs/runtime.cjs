// The life of invocations: from the Runtime API to the handler and back.
'use strict';

const { NodeJsExit, UnhandledPromiseRejection, report } = require('./errors.cjs');
const { logError, setInvocation } = require('./logs.cjs');
const { fitHeap } = require('./heap.cjs');
const { ResponseStream, isStreaming } = require('./stream.cjs');

// Exit codes, as Node.js and AWS's client have them.
const EXIT_UNSETTLED_AWAIT = 13;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

class Runtime {
  constructor(api) {
    this.api = api;
    this.requestId = undefined; // of the invocation that isn't answered yet
    this.initialised = false;
    this.ending = false;
    // Called when the event loop has nothing left to do.
    this.whenIdle = () => {
      process.stderr.write('Warning: Detected unsettled top-level await\n');
      process.exit(EXIT_UNSETTLED_AWAIT);
    };
    process.on('beforeExit', () => {
      const action = this.whenIdle;
      this.whenIdle = null;
      if (action) {
        action();
      }
    });
    process.on('uncaughtException', (error) => {
      logError('Uncaught Exception', error);
      this.exit(error, EXIT_UNCAUGHT_EXCEPTION);
    });
    process.on('unhandledRejection', (reason, promise) => {
      const error = new UnhandledPromiseRejection(reason, promise);
      logError('Unhandled Promise Rejection', error);
      this.exit(error, EXIT_UNHANDLED_REJECTION);
    });
  }

  // serve runs handler for every invocation from now on.
  serve(handler) {
    this.initialised = true;
    this.whenIdle = null;
    this.handler = handler;
    this.handle = isStreaming(handler) ? this.handleStreaming : this.handleBuffered;
    this.expectsPromise = handler.constructor && handler.constructor.name === 'AsyncFunction';
    this.await(this.api.next());
  }

  // exit reports an error that nobody caught, to whom it concerns, and ends.
  async exit(error, code) {
    if (this.ending) {
      return;
    }
    this.ending = true;
    this.whenIdle = null;
    const concerned = this.requestId;
    this.requestId = undefined;
    if (concerned !== undefined || !this.initialised) {
      this.api.ref();
      await this.api.lastError(concerned, report(error));
    }
    process.exit(code);
  }

  // await takes the invocation that next resolves with.
  await(next) {
    this.api.ref();
    next.then(
      (invocation) => this.take(invocation),
      () => process.exit(1), // the node is gone
    );
  }

  take({ headers, body }) {
    this.api.unref();
    this.requestId = headers['lambda-runtime-aws-request-id'];
    setInvocation(this.requestId, headers['lambda-runtime-aws-tenant-id']);
    const traceId = headers['lambda-runtime-trace-id'];
    if (traceId) {
      process.env._X_AMZN_TRACE_ID = traceId;
    } else {
      delete process.env._X_AMZN_TRACE_ID;
    }
    const memory = headers['lambda-runtime-hearth-memory'];
    if (memory) { // the environment has another amount than before, in MB
      process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = memory;
      fitHeap(Number(memory));
    }
    this.handle(headers, body);
  }

  // -- Handlers that return a promise, or call back --------------------------

  handleBuffered(headers, body) {
    const answer = this.answers(this.requestId);
    this.whenIdle = () => {
      if (this.expectsPromise) {
        answer.fail(new NodeJsExit());
      } else {
        answer.succeed(null);
      }
    };
    try {
      const context = addMembers(answer.context, headers);
      const result = this.handler(JSON.parse(body), context, answer.callback);
      if (isPromise(result)) {
        result.then(context.succeed, context.fail).catch(context.fail);
      }
    } catch (error) {
      answer.callback(error);
    }
  }

  // answers returns the ways to answer an invocation; only the first one that
  // is used counts. callback waits until the event loop is empty, unless the
  // handler says otherwise.
  answers(requestId) {
    let waitForEmptyEventLoop = true;
    let finished = false;

    const send = (begin) => {
      if (this.requestId !== requestId) {
        return; // ended by an error nobody caught
      }
      this.whenIdle = null;
      this.await(begin());
      this.requestId = undefined;
    };
    const succeed = (result) => {
      const body = stringify(result);
      send(() => this.api.respond(requestId, 'application/json', body));
    };
    const fail = (error) => {
      logError('Invoke Error', error);
      send(() => this.api.fail(requestId, report(error)));
    };
    const done = (error, result) => {
      if (error !== undefined && error !== null) {
        fail(error);
      } else {
        succeed(result);
      }
    };
    const callback = (error, result) => {
      if (!waitForEmptyEventLoop || (error !== undefined && error !== null)) {
        done(error, result);
      } else {
        this.whenIdle = () => succeed(result);
      }
    };
    const once = (action) => (...values) => {
      if (!finished) {
        action(...values); // one that throws leaves the others usable
        finished = true;
      }
    };
    return {
      succeed,
      fail,
      callback: once(callback),
      context: {
        get callbackWaitsForEmptyEventLoop() {
          return waitForEmptyEventLoop;
        },
        set callbackWaitsForEmptyEventLoop(value) {
          waitForEmptyEventLoop = value;
        },
        succeed: once((result) => done(null, result)),
        fail: once((error) => done(error === undefined || error === null ? 'handled' : error)),
        done: once(done),
      },
    };
  }

  // -- Handlers that stream --------------------------------------------------

  async handleStreaming(headers, body) {
    const requestId = this.requestId;
    const stream = new ResponseStream(this.api, requestId, this.handler);
    let waitForEmptyEventLoop = true;
    const context = addMembers(
      {
        get callbackWaitsForEmptyEventLoop() {
          return waitForEmptyEventLoop;
        },
        set callbackWaitsForEmptyEventLoop(value) {
          waitForEmptyEventLoop = value;
        },
      },
      headers,
    );
    const next = () => {
      this.whenIdle = null;
      if (this.requestId === requestId) {
        this.requestId = undefined;
        this.await(this.api.next());
      }
    };
    const fail = async (error) => {
      logError('Invoke Error', error);
      await stream.fail(error);
      next();
    };
    this.whenIdle = () => fail(new NodeJsExit());
    try {
      const result = this.handler(JSON.parse(body), stream, context);
      if (!isPromise(result)) {
        return await fail('Streaming does not support non-async handlers.');
      }
      if ((await result) !== undefined) {
        console.warn('Streaming handlers ignore return values.');
      }
      if (!stream.writableEnded) {
        return await fail('Response stream is not finished.');
      }
      await stream.finished;
    } catch (error) {
      return fail(error);
    }
    if (waitForEmptyEventLoop) {
      this.whenIdle = next;
    } else {
      next();
    }
  }
}

const isPromise = (value) => Boolean(value) && typeof value.then === 'function';

function stringify(result) {
  try {
    const text = JSON.stringify(result);
    return text === undefined ? 'null' : text;
  } catch {
    throw new Error('Unable to stringify response body');
  }
}

// addMembers gives the context what comes from the environment and the node.
function addMembers(context, headers) {
  const deadline = headers['lambda-runtime-deadline-ms'];
  return Object.assign(context, {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parseHeader(headers['lambda-runtime-client-context'], 'ClientContext'),
    identity: parseHeader(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  });
}

function parseHeader(text, name) {
  if (text === undefined) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

module.exports = { Runtime };
