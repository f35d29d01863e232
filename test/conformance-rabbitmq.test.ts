import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { besideRabbit, rabbitAlone, sqliteStores } from './conformance/rabbitmq.ts'
import { redisStores } from './conformance/redis.ts'
import { conforms } from './conformance/target.ts'
import { needs } from './servers.ts'

const rabbit = await needs('rabbitmq', startRabbit)
const redis = await needs('redis', startRedis)

if (rabbit !== undefined) {
  const at = `127.0.0.1:${rabbit.port}`
  conforms('joined (rabbitmq + sqlite)', besideRabbit(at, 'sqlite', sqliteStores()))
  conforms('joined (packed rabbitmq + sqlite)', besideRabbit(at, 'packed', sqliteStores(), '&packed=true'))
  if (redis !== undefined)
    conforms('joined (rabbitmq + redis)', besideRabbit(at, 'redis', redisStores(`127.0.0.1:${redis.port}`)))
  conforms('rabbitmq alone', rabbitAlone(at, 'alone'))
  conforms('packed rabbitmq alone', rabbitAlone(at, 'alone-packed', '&packed=true'))
}
