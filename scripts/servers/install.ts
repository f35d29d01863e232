import { findOpenssl, findPika, findPrometheus, findRabbit, findRedis, findValkey } from './programs.ts'

/** Installs what the tests' servers need, and says what there is. */
const found = {
  redis: findRedis(),
  valkey: findValkey(),
  rabbitmq: findRabbit(),
  pika: findPika(),
  openssl: findOpenssl(),
  prometheus: findPrometheus(),
}
for (const [name, path] of Object.entries(found)) console.log(`${name.padEnd(10)} ${path ?? 'MISSING'}`)
if (Object.values(found).includes(undefined)) process.exitCode = 1
