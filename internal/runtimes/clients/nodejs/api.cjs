// A client of the Lambda Runtime API on one persistent connection.
//
// It speaks HTTP/1.1 over a plain socket: four requests in fixed words need no
// agent. An answer is followed by the request for the next invocation in the
// same segment (HTTP pipelining), which saves both sides a wake-up.
'use strict';

const net = require('net');

const PREFIX = '/2018-06-01/runtime/';

class RuntimeAPI {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.common = `Host: ${address}\r\nUser-Agent: hearth-nodejs/${process.versions.node}\r\n`;
    this.ask = `GET ${PREFIX}invocation/next HTTP/1.1\r\n${this.common}\r\n`;
    this.socket = null;
    this.waiting = []; // who waits for a response, first asked first
    this.received = [];
    this.size = 0; // of what is received
    this.wanted = 0; // bytes without which parsing is in vain
  }

  // next waits for an invocation: {headers, body}.
  next() {
    return this.request(this.ask).then(invocation);
  }

  // respond answers an invocation and returns the next one.
  respond(requestId, contentType, body) {
    return this.answer(`invocation/${requestId}/response`, { 'Content-Type': contentType }, body);
  }

  // fail answers an invocation with an error and returns the next one.
  fail(requestId, report) {
    return this.answer(`invocation/${requestId}/error`, errorHeaders(report), JSON.stringify(report));
  }

  // A refused answer (too large, not in turn) is the node's to act upon. The
  // function goes on with the next invocation, on a new connection if the
  // refusal cost this one.
  answer(path, headers, body) {
    this.connect();
    this.expect().catch(() => {});
    const next = this.expect();
    this.write(Buffer.concat([post(path, this.common, headers, body), Buffer.from(this.ask)]));
    return next.catch(() => this.request(this.ask)).then(invocation);
  }

  // lastError reports an error before the process exits.
  async lastError(requestId, report) {
    const path = requestId === undefined ? 'init/error' : `invocation/${requestId}/error`;
    await this.request(post(path, this.common, errorHeaders(report), JSON.stringify(report))).catch(() => {});
  }

  beginStream(requestId, contentType) {
    const headers = {
      'Content-Type': contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    };
    this.write(head(`invocation/${requestId}/response`, this.common, headers));
  }

  streamChunk(chunk, done) {
    if (chunk.length > 0) {
      this.write(`${chunk.length.toString(16)}\r\n`);
      this.write(chunk);
      this.write('\r\n', done);
    } else if (done) {
      done();
    }
  }

  // endStream resolves when the node has taken the whole response; until then
  // the process has something to wait for.
  async endStream(trailers) {
    this.ref();
    await this.request(`0\r\n${lines(trailers)}\r\n`);
    this.unref();
  }

  // ref and unref say whether waiting for the node keeps the process alive.
  // While a handler runs it must not: an event loop with nothing else to do is
  // how the runtime learns that a handler will never answer.
  ref() {
    this.connect().ref();
  }

  unref() {
    this.connect().unref();
  }

  request(data) {
    this.connect();
    const response = this.expect();
    this.write(data);
    return response;
  }

  // expect returns the response to the request that is written next.
  expect() {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  write(data, done) {
    this.connect().write(data, 'latin1', done);
  }

  connect() {
    if (this.socket) {
      return this.socket;
    }
    const socket = net.connect({ host: this.host, port: this.port, noDelay: true });
    socket.setNoDelay(true); // as an option it came with Node.js 16.17
    socket.on('data', (data) => this.receive(data));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.lost(socket));
    this.socket = socket;
    return socket;
  }

  // lost tells whoever waits for a response that none will come.
  lost(socket) {
    if (this.socket !== socket) {
      return;
    }
    this.socket = null;
    this.received = [];
    this.size = this.wanted = 0;
    for (const { reject } of this.waiting.splice(0)) {
      reject(new Error('the Runtime API closed the connection'));
    }
  }

  receive(data) {
    this.received.push(data);
    this.size += data.length;
    while (this.size > 0 && this.size >= this.wanted) {
      const all = this.received.length === 1 ? this.received[0] : Buffer.concat(this.received);
      const response = parse(all);
      if (response.status === undefined) {
        this.received = [all];
        this.wanted = response.wanted;
        return;
      }
      const rest = all.subarray(response.end);
      this.received = rest.length > 0 ? [rest] : [];
      this.size = rest.length;
      this.wanted = 0;
      const waiting = this.waiting.shift();
      if (waiting) {
        waiting.resolve(response);
      }
    }
  }
}

function invocation(response) {
  if (response.status !== 200) {
    throw new Error(`the Runtime API answered ${response.status}: ${response.body}`);
  }
  return response;
}

// parse takes one response from the beginning of data: {status, headers, body,
// end}, or {wanted} when it isn't complete and can't be with fewer bytes.
function parse(data) {
  const blank = data.indexOf('\r\n\r\n');
  if (blank < 0) {
    return { wanted: data.length + 1 };
  }
  const [first, ...rest] = data.toString('utf8', 0, blank).split('\r\n');
  const headers = {};
  for (const line of rest) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const begin = blank + 4;
  const status = Number(first.split(' ', 2)[1]);
  if ((headers['transfer-encoding'] || '').toLowerCase() === 'chunked') {
    const chunked = parseChunks(data, begin);
    return chunked.wanted ? chunked : { status, headers, ...chunked };
  }
  const end = begin + Number(headers['content-length'] || 0);
  if (data.length < end) {
    return { wanted: end };
  }
  return { status, headers, body: data.toString('utf8', begin, end), end };
}

function parseChunks(data, at) {
  const chunks = [];
  for (;;) {
    const line = data.indexOf('\r\n', at);
    if (line < 0) {
      return { wanted: data.length + 1 };
    }
    const size = parseInt(data.toString('latin1', at, line), 16);
    const end = line + 2 + size;
    if (data.length < end + 2) {
      return { wanted: end + 2 };
    }
    if (size === 0) {
      return { body: Buffer.concat(chunks).toString('utf8'), end: end + 2 };
    }
    chunks.push(data.subarray(line + 2, end));
    at = end + 2;
  }
}

function post(path, common, headers, body) {
  const bytes = Buffer.from(body);
  return Buffer.concat([Buffer.from(head(path, common, { ...headers, 'Content-Length': bytes.length })), bytes]);
}

function head(path, common, headers) {
  return `POST ${PREFIX}${path} HTTP/1.1\r\n${common}${lines(headers)}\r\n`;
}

function lines(headers) {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function errorHeaders(report) {
  return {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': String(report.errorType).replace(/[^\x20-\x7e]/g, '?'),
  };
}

module.exports = { RuntimeAPI };
