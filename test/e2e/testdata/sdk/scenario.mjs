// A function's life by the AWS SDK for JavaScript. Prints one line of JSON for
// each thing done; a failed assertion ends it with a stack trace.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  LambdaClient, CreateFunctionCommand, GetFunctionCommand, UpdateFunctionCodeCommand, UpdateFunctionConfigurationCommand, DeleteFunctionCommand,
  InvokeCommand, PublishVersionCommand, CreateAliasCommand, UpdateAliasCommand, PutFunctionConcurrencyCommand, TagResourceCommand, ListTagsCommand,
  paginateListFunctions, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2, waitUntilPublishedVersionActive,
  ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException, TooManyRequestsException, PreconditionFailedException
} from '@aws-sdk/client-lambda'

const [first, second] = process.argv.slice(2).map((path) => readFileSync(path))
const client = new LambdaClient({ maxAttempts: 1 })
const FunctionName = 'js'
const done = (what) => console.log(JSON.stringify({ what }))
const waiting = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 2 }
const json = (answer) => JSON.parse(Buffer.from(answer.Payload).toString())

const made = await client.send(new CreateFunctionCommand({
  FunctionName, Runtime: 'nodejs20.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: first }, Tags: { a: '1' }
}))
await waitUntilFunctionActiveV2(waiting, { FunctionName })
done('created')

const answer = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ hello: 'js' }), LogType: 'Tail' }))
assert.equal(answer.StatusCode, 200)
assert.deepEqual(json(answer), { first: { hello: 'js' } })
assert.match(Buffer.from(answer.LogResult, 'base64').toString(), /REPORT RequestId: /)
assert.equal((await client.send(new InvokeCommand({ FunctionName, InvocationType: 'DryRun' }))).StatusCode, 204)
const bad = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ fail: true }) }))
assert.equal(bad.FunctionError, 'Unhandled')
assert.equal(json(bad).errorType, 'Error')
done('invoked')

await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }))
await waitUntilFunctionUpdatedV2(waiting, { FunctionName })
assert.deepEqual(json(await client.send(new InvokeCommand({ FunctionName }))), 'second')
await assert.rejects(client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 5, RevisionId: 'stale' })), PreconditionFailedException)
done('updated')

const released = await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: first, Publish: true }))
await waitUntilFunctionUpdatedV2(waiting, { FunctionName })
await waitUntilPublishedVersionActive(waiting, { FunctionName, Qualifier: released.Version })
await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }))
await waitUntilFunctionUpdatedV2(waiting, { FunctionName })
const { Version } = await client.send(new PublishVersionCommand({ FunctionName }))
await client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: Version }))
assert.equal((await client.send(new InvokeCommand({ FunctionName, Qualifier: 'live' }))).ExecutedVersion, Version)
await client.send(new UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: released.Version }))
const live = await client.send(new InvokeCommand({ FunctionName, Qualifier: 'live', Payload: '1' }))
assert.equal(live.ExecutedVersion, released.Version)
assert.deepEqual(json(live), { first: 1 })
await client.send(new TagResourceCommand({ Resource: made.FunctionArn, Tags: { b: '2' } }))
assert.deepEqual((await client.send(new ListTagsCommand({ Resource: made.FunctionArn }))).Tags, { a: '1', b: '2' })
const names = []
for await (const page of paginateListFunctions({ client, pageSize: 1 }, {})) names.push(...page.Functions.map((f) => f.FunctionName))
assert.deepEqual(names, [FunctionName])
done('published')

await assert.rejects(client.send(new GetFunctionCommand({ FunctionName: 'absent' })), ResourceNotFoundException)
await assert.rejects(client.send(new CreateFunctionCommand({
  FunctionName, Runtime: 'nodejs20.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: first }
})), ResourceConflictException)
await assert.rejects(client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: Buffer.from('no zip') })), InvalidParameterValueException)
await client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }))
await assert.rejects(client.send(new InvokeCommand({ FunctionName })), (e) => e instanceof TooManyRequestsException && e.Reason === 'ReservedFunctionConcurrentInvocationLimitExceeded')
done('refused')

await client.send(new DeleteFunctionCommand({ FunctionName }))
await assert.rejects(client.send(new InvokeCommand({ FunctionName })), ResourceNotFoundException)
done('deleted')
