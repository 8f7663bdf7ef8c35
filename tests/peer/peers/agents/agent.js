// An agent on Node's tls; common.py tells what an agent does.
"use strict";

const fs = require("fs");
const readline = require("readline");
const tls = require("tls");

const PATIENCE = 10000;

function say(words) {
  process.stdout.write(JSON.stringify(words) + "\n");
}

function options(order) {
  const found = {
    minVersion: "TLSv" + order.version,
    maxVersion: "TLSv" + order.version,
    ciphers: order.suite,
    ca: fs.readFileSync(order.ca),
    requestCert: order.client_auth,
    rejectUnauthorized: order.client_auth || order.do === "connect",
    servername: order.host,
    ecdhCurve: "auto",
  };
  if (order.do === "connect" && order.scenario === "retry") {
    found.ecdhCurve = order.first + ":" + order.group;
  } else if (order.scenario === "retry") {
    found.ecdhCurve = order.group;
  } else if (order.do === "serve" && order.version === "1.2") {
    found.ecdhCurve = order.groups;
  }
  if (order.cert !== "") {
    found.cert = fs.readFileSync(order.cert);
    found.key = fs.readFileSync(order.key);
  }
  return found;
}

function facts(socket) {
  const shown = socket.getPeerCertificate();
  return {
    version: socket.getProtocol(),
    suite: socket.getCipher().standardName,
    reused: socket.isSessionReused(),
    shown: shown && shown.raw ? shown.raw.toString("hex") : null,
  };
}

// Calls back once `size` bytes came; tells whether the end came after them.
function gather(socket, size, full) {
  const pieces = [];
  let got = 0;
  socket.on("data", (piece) => {
    pieces.push(piece);
    got += piece.length;
    if (got >= size) full(Buffer.concat(pieces));
  });
}

function serve(order) {
  return new Promise((resolve, reject) => {
    const done = [];
    const server = tls.createServer(
      { ...options(order), allowHalfOpen: true });
    const stop = (error) => {
      clearTimeout(timer);
      server.close();
      if (error) reject(error); else resolve(done);
    };
    const timer = setTimeout(() => stop(new Error("timeout")), PATIENCE);
    server.on("tlsClientError", stop);
    server.on("secureConnection", (socket) => {
      let fact;
      socket.on("error", stop);
      gather(socket, order.size, (all) => {
        fact = facts(socket);
        socket.write(all);
      });
      socket.on("end", () => {
        fact.closed = true;
        socket.end();
      });
      socket.on("close", () => {
        done.push(fact);
        if (done.length === order.connections) stop();
      });
    });
    server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
  });
}

function connectOnce(order, session) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...options(order), host: "127.0.0.1", port: order.port, session,
      allowHalfOpen: true });
    const data = Buffer.alloc(order.size, "0123456789abcdef");
    let fact;
    let latest;
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error("timeout")));
    socket.on("error", reject);
    socket.on("session", (given) => { latest = given; });
    socket.on("secureConnect", () => socket.write(data));
    gather(socket, order.size, (all) => {
      fact = facts(socket);
      fact.echo = all.equals(data);
      socket.end();
    });
    socket.on("end", () => { fact.closed = true; });
    socket.on("close", () => resolve({ fact, session: latest }));
  });
}

async function connect(order) {
  const done = [];
  let session;
  for (let i = 0; i < order.connections; i++) {
    const found = await connectOnce(order, session);
    session = found.session;
    done.push(found.fact);
  }
  return done;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  if (order.do === "version") {
    say({ version: "Node " + process.version + ", OpenSSL " +
      process.versions.openssl });
    return;
  }
  const work = order.do === "serve" ? serve : connect;
  new Promise((resolve) => resolve(work(order))).then(
    (done) => say({ done }), (error) => say({ error: String(error) }));
});
