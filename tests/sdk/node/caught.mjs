// The error that `work` throws, as plain values; `nothing` holds its result when it throws none.
export async function caught(work) {
  try {
    return { nothing: await work() };
  } catch (error) {
    const { status, code, type, param, requestID, message } = error;
    const retryAfter = error.headers?.get("retry-after") ?? null;
    return { name: error.constructor.name, status, code, type, param, requestID, message, retryAfter };
  }
}
