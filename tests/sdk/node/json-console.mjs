// Preloaded before a snippet: console.log writes each value as one line of JSON.
console.log = (value) => process.stdout.write(`${JSON.stringify(value ?? null)}\n`);
