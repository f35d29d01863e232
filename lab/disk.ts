import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Impossible } from './faults/fault.ts'

/** A small disk of its own, which can be filled, grown and made read-only. */
export class Disk implements Disposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** @throws Impossible where this user may not mount */
  static of(size: string): Disk {
    const disk = new Disk(mkdtempSync(join(tmpdir(), 'offload-disk-')))
    if (disk.#mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs')) return disk
    rmdirSync(disk.path)
    throw new Impossible(
      'no file system can be mounted here: run it as root on Linux, or under `unshare -rm`',
    )
  }

  /** @param how e.g. `size=64m`, `ro`, `rw` */
  remount(how: string): void {
    if (!this.#mount('-o', `remount,${how}`)) throw new Error(`${this.path} cannot be remounted ${how}`)
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path])
    rmdirSync(this.path)
  }

  #mount(...args: string[]): boolean {
    return spawnSync('mount', [...args, this.path]).status === 0
  }
}
