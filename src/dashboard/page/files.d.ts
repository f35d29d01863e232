/** The page, made of web/ by scripts/web.ts: what it is made of is not kept in the repository. */
export declare const files: Readonly<Record<string, PageFile>>

export interface PageFile {
  readonly type: string
  /** Base64 of the gzipped bytes. */
  readonly gzip: string
}
