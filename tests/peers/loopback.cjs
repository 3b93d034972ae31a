// For `node --require`: servers that name no address listen on loopback alone.
const { Server } = require('net')
const listen = Server.prototype.listen

Server.prototype.listen = function (port, ...rest) {
  const bare = typeof port !== 'object' && typeof rest[0] !== 'string'
  return bare ? listen.call(this, Number(port), '127.0.0.1', ...rest) : listen.call(this, port, ...rest)
}
