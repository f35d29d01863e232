import { besideRabbit, rabbitAlone, sqliteStores } from './conformance/rabbitmq.ts'
import { conforms } from './conformance/target.ts'

const at = '127.0.0.1:15790'
conforms('joined (rabbitmq + sqlite)', besideRabbit(at, `sqlite${Date.now()}`, sqliteStores()))
conforms('rabbitmq alone', rabbitAlone(at, `alone${Date.now()}`))
