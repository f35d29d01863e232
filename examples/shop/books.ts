import { DatabaseSync } from 'node:sqlite'

export interface Books {
  /** Takes the goods of an order off the stock; a second time for the same order changes nothing. */
  takeStock(orderId: string, sku: string, quantity: number): void
  /** Counts an order once in a named figure (dashboard, suggestions). */
  count(figure: string, orderId: string): void
  /** Whether the mail with this id went out, as far as we know. */
  isMailed(messageId: string): boolean
  markMailed(messageId: string): void
  orders(): string[]
  /** What is left of every article. */
  left(): number
  close(): void
}

export const STOCK_AT_START = 1_000_000

/** The shop's own database: stock, figures, and which mails went out. */
export function openBooks(path: string): Books {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS movement (order_id TEXT PRIMARY KEY, sku TEXT NOT NULL, quantity INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS figure (name TEXT, order_id TEXT, PRIMARY KEY (name, order_id));
    CREATE TABLE IF NOT EXISTS mailed (message_id TEXT PRIMARY KEY);
    INSERT OR IGNORE INTO stock VALUES ('book', ${STOCK_AT_START});`)
  const move = db.prepare('INSERT OR IGNORE INTO movement VALUES (?, ?, ?)')
  const take = db.prepare('UPDATE stock SET quantity = quantity - ? WHERE sku = ?')
  const count = db.prepare('INSERT OR IGNORE INTO figure VALUES (?, ?)')
  const mailed = db.prepare('SELECT 1 FROM mailed WHERE message_id = ?')
  const mark = db.prepare('INSERT OR IGNORE INTO mailed VALUES (?)')
  const orders = db.prepare('SELECT order_id AS id FROM movement')
  const left = db.prepare('SELECT sum(quantity) AS quantity FROM stock')
  return {
    takeStock(orderId, sku, quantity) {
      db.exec('BEGIN IMMEDIATE')
      try {
        if (move.run(orderId, sku, quantity).changes > 0) take.run(quantity, sku)
        db.exec('COMMIT')
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },
    count: (figure, orderId) => void count.run(figure, orderId),
    isMailed: (messageId) => mailed.get(messageId) !== undefined,
    markMailed: (messageId) => void mark.run(messageId),
    orders: () => orders.all().map((row) => String(row.id)),
    left: () => Number(left.get()?.quantity),
    close: () => db.close(),
  }
}
