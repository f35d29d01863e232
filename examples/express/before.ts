import type { Express } from 'express'
import express from 'express'
import { resize } from './resize.ts'

/** An app as it stands: the client waits for the picture. */
export function before(): Express {
  const app = express()
  app.use(express.json())
  app.post('/thumbnails', async (req, res) => {
    res.json(await resize(req.body.url, req.body.width))
  })
  return app
}
