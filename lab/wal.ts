import { randomFillSync } from 'node:crypto'

const HEADER = 32
const FRAME_HEADER = 24

/** The log of SQLite as bytes: https://sqlite.org/fileformat2.html#walformat */
export interface Wal {
  readonly bytes: Buffer
  readonly pageSize: number
  /** Where each frame begins, and which page it holds. */
  readonly frames: readonly { readonly at: number; readonly page: number }[]
}

export function readWal(bytes: Buffer): Wal {
  if (bytes.length < HEADER) return { bytes, pageSize: 0, frames: [] }
  const pageSize = bytes.readUInt32BE(8)
  const frames: { at: number; page: number }[] = []
  for (let at = HEADER; at + FRAME_HEADER + pageSize <= bytes.length; at += FRAME_HEADER + pageSize)
    frames.push({ at, page: bytes.readUInt32BE(at) })
  return { bytes, pageSize, frames }
}

/** What is left of a write that was torn, and how much of the log is sound. */
export interface Tear {
  readonly how: string
  readonly bytes: Buffer
  /** All before this byte is as it was written. */
  readonly soundTo: number
}

/** Cuts at any byte, at a frame's end and just beside it; a flipped bit; a tail of noise; a tail that was never written. */
export function tears({ bytes, frames, pageSize }: Wal, times: number, random: () => number): Tear[] {
  const frameOf = (at: number): number => frames.findLast((frame) => frame.at <= at)?.at ?? 0
  const anywhere = (): number => Math.floor(random() * bytes.length)
  const aFrame = (): number => frames[Math.floor(random() * frames.length)]?.at ?? 0
  const cut = (how: string, at: number): Tear => ({ how, bytes: bytes.subarray(0, at), soundTo: at })
  const spoilt = (how: string, at: number, spoil: (copy: Buffer) => void): Tear => {
    const copy = Buffer.from(bytes)
    spoil(copy)
    return { how, bytes: copy, soundTo: frameOf(at) }
  }
  const ways: readonly (() => Tear)[] = [
    () => cut('cut anywhere', anywhere()),
    () => cut('cut at the end of a frame', aFrame()),
    () => cut('cut within the header of a frame', aFrame() + Math.floor(random() * FRAME_HEADER)),
    () => cut('cut in the last byte of a frame', Math.max(0, aFrame() - 1)),
    () => {
      const at = frames.length === 0 ? 0 : (frames.at(-1 - Math.floor(random() * 20)) ?? { at: HEADER }).at
      const byte = Math.min(bytes.length - 1, at + Math.floor(random() * (FRAME_HEADER + pageSize)))
      return spoilt('a bit flipped in the last frames', byte, (copy) => {
        copy[byte] = (copy[byte] ?? 0) ^ (1 << Math.floor(random() * 8))
      })
    },
    () => {
      const at = anywhere()
      return spoilt('noise from there on', at, (copy) => void randomFillSync(copy, at))
    },
    () => {
      const at = anywhere()
      return spoilt('zeroes from there on', at, (copy) => void copy.fill(0, at))
    },
  ]
  return Array.from({ length: times }, (_, n) => (ways[n % ways.length] ?? cutNothing)())

  function cutNothing(): Tear {
    return cut('whole', bytes.length)
  }
}

/** A checkpoint that was torn: half of every page that the log holds is noise in the file. */
export function tornCheckpoint(file: Buffer, { frames, pageSize }: Wal): Buffer {
  const copy = Buffer.from(file)
  for (const page of new Set(frames.map((frame) => frame.page)))
    if (page * pageSize <= copy.length) randomFillSync(copy, (page - 1) * pageSize, pageSize / 2)
  return copy
}
