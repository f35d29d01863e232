import { findOpenssl, findPika, findRabbit, findRedis, findValkey } from './programs.ts'

/** Installs what the tests' servers need, and says what there is. */
const found = {
  redis: findRedis(),
  valkey: findValkey(),
  rabbitmq: findRabbit(),
  pika: findPika(),
  openssl: findOpenssl(),
}
for (const [name, path] of Object.entries(found)) console.log(`${name.padEnd(8)} ${path ?? 'MISSING'}`)
if (Object.values(found).includes(undefined)) process.exitCode = 1
