/** What the upload page's component is fed. */
interface UploadData {
  /** The batch that the page follows, and whether its files are still arriving or being stored. */
  batch: string | null;
  running: boolean;
}

/** A file that was chosen, with the path below the folder that it was chosen with. */
interface Chosen { name: string; file: Blob }
