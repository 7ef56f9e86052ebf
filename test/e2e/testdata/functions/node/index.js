'use strict'
// CommonJS handlers; a require of a module of the package's own.
const { twice } = require('./lib/twice')

exports.echo = async (event) => event

exports.callback = (event, context, callback) => {
  setTimeout(() => callback(null, { doubled: twice(event.n) }), 5)
}

exports.context = async (event, context) => ({
  functionName: context.functionName,
  functionVersion: context.functionVersion,
  memoryLimitInMB: context.memoryLimitInMB,
  invokedFunctionArn: context.invokedFunctionArn,
  awsRequestId: context.awsRequestId,
  logGroupName: context.logGroupName,
  logStreamName: context.logStreamName,
  clientContext: context.clientContext,
  remaining: context.getRemainingTimeInMillis(),
  env: process.env
})

exports.logs = async () => {
  console.log('an %s line', 'info')
  console.error('an error line')
  console.log('two\nlines')
}

exports.rejects = async () => {
  throw new TypeError('as asked')
}

exports.callbackError = (event, context, callback) => callback(new RangeError('as asked'))

exports.throwsLater = async () => {
  setTimeout(() => { throw new Error('nobody waits for me') }, 1)
  await new Promise((resolve) => setTimeout(resolve, 10000))
}

exports.rejectsUnhandled = async () => {
  Promise.reject(new Error('nobody catches me'))
  await new Promise((resolve) => setTimeout(resolve, 10000))
}

exports.exits = async (event) => process.exit(event.status)

exports.circular = async () => {
  const o = {}
  o.self = o
  return o
}

exports.open = (event, context, callback) => {
  // An open timer keeps the event loop alive; the answer must not wait for it.
  context.callbackWaitsForEmptyEventLoop = false
  setInterval(() => {}, 1000)
  callback(null, 'at once')
}
