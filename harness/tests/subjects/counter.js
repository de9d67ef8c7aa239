// A subject in Node: connections that stay open, answers in chunks, an orderly end on SIGTERM.
const http = require("node:http");

let count = 0;
const server = http.createServer((request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    for (const byte of JSON.stringify(value)) response.write(byte);
    response.end();
  };
  if (request.method === "POST") {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => answer(201, { count: (count += Number(body)) }));
  } else if (request.url === "/count") {
    answer(200, { count });
  } else {
    answer(404, { error: "unknown" });
  }
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
