// Response streaming: awslambda.streamifyResponse and what its handlers get.
'use strict';

const { Writable } = require('stream');
const { InvalidStreamingOperation, MalformedStreamingHandler, report } = require('./errors.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

// streamifyResponse marks a handler (event, responseStream, context).
function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (options && typeof options.highWaterMark === 'number') {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

function isStreaming(handler) {
  const mark = handler[STREAMING];
  if (mark === undefined || mark === null || mark === false) {
    return false;
  }
  if (mark !== 'response') {
    throw new MalformedStreamingHandler('Only response streaming is supported.');
  }
  return true;
}

// ResponseStream sends what is written to it as the chunks of a response. The
// response begins with the first write, or with the end when nothing is written.
class ResponseStream extends Writable {
  constructor(api, requestId, handler) {
    super({ decodeStrings: true, highWaterMark: handler[HIGH_WATER_MARK], autoDestroy: false });
    this.api = api;
    this.requestId = requestId;
    this.contentType = 'application/octet-stream';
    this.begun = false;
    this._onBeforeFirstWrite = undefined; // set by HttpResponseStream.from
    this.finished = new Promise((resolve) => this.once('finish', resolve));
  }

  setContentType(contentType) {
    if (this.begun) {
      throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    }
    this.contentType = contentType;
  }

  // write takes objects too, as JSON.
  write(chunk, encoding, callback) {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      chunk = JSON.stringify(chunk);
    }
    return super.write(chunk, encoding, callback);
  }

  begin() {
    if (this.begun) {
      return;
    }
    this.begun = true;
    this.api.beginStream(this.requestId, this.contentType);
    if (typeof this._onBeforeFirstWrite === 'function') {
      this._onBeforeFirstWrite((chunk) => this.api.streamChunk(Buffer.from(chunk)));
    }
  }

  _write(chunk, _encoding, done) {
    this.begin();
    this.api.streamChunk(chunk, done);
  }

  _final(done) {
    this.begin();
    this.api.endStream({}).then(() => done(), done);
  }

  // fail ends the response with the error in its trailers, unless it has
  // already ended.
  async fail(error) {
    if (this.writableEnded) {
      return this.finished;
    }
    this.begin();
    const what = report(error);
    await this.api.endStream({
      'Lambda-Runtime-Function-Error-Type': what.errorType,
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(what)).toString('base64'),
    });
  }
}

// HttpResponseStream puts status, headers and cookies before a streamed body.
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(new Uint8Array(8)); // the separator
    };
    return stream;
  }
}

module.exports = { HttpResponseStream, ResponseStream, isStreaming, streamifyResponse };
