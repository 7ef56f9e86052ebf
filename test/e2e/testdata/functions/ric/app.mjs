export const handler = async (event, context) => ({ event, requestId: context.awsRequestId, function: context.functionName })
