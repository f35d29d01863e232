// Many listeners in a process of their own: bare sockets, so that they cost little beside the server.
import { connect } from 'node:net'

const { port, id, count } = JSON.parse(process.argv[2])
const seen = new Map()
let open = 0
let ended = 0

const listen = () =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let rest = ''
    socket.once('error', reject)
    socket.on('connect', () => socket.write(`GET /jobs/${id}/events HTTP/1.1\r\nhost: x\r\n\r\n`))
    socket.on('data', (data) => {
      const now = Date.now()
      rest += data.toString('latin1')
      if (rest.includes('event: state')) {
        open++
        resolve()
      }
      for (const [, at, n] of rest.matchAll(/"at":"([^"]+)","progress":\{"n":(\d+)\}\}\n/g)) {
        if (!seen.has(n)) seen.set(n, [])
        seen.get(n).push(now - Date.parse(at))
      }
      if (rest.includes('event: done')) ended++
      rest = ''
    })
  })

for (let at = 0; at < count; at += 100)
  await Promise.all(Array.from({ length: Math.min(100, count - at) }, listen))
process.send({ open })

process.on('message', ({ tell, end }) => {
  if (end) process.exit()
  if (tell !== undefined) process.send({ lags: seen.get(String(tell)) ?? [], ended })
})
