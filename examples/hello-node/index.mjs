export const handler = async (event, context) => {
  const name = event.name ?? "world";
  console.log(`greeting ${name}`);
  return {
    message: `hello, ${name}`,
    from: `Node.js ${process.version}`,
    request: context.awsRequestId,
  };
};
