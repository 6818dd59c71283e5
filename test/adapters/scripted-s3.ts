// An S3 in memory that counts what it is asked, and answers as it is told to: an answer of the script comes instead of its own.
import { type CompletedPart, S3Client, S3ServiceException } from '@aws-sdk/client-s3';

export function refusal(name: string, httpStatusCode: number): S3ServiceException {
  return new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode } });
}

/** What S3 does, without its answer, or anything instead. */
type Scripted = (input: Input, own: () => object) => object;

interface Input {
  Key: string;
  UploadId: string;
  PartNumber: number;
  ChecksumCRC32: string;
  IfNoneMatch?: string;
  MultipartUpload: { Parts: CompletedPart[] };
}

export class ScriptedS3 {
  readonly client: S3Client;
  readonly objects = new Set<string>();
  /** Those that are open, with the checksums of their parts. */
  readonly uploads = new Map<string, Map<number, string>>();
  readonly calls: string[] = [];
  readonly #script = new Map<string, Scripted[]>();
  #begun = 0;

  constructor() {
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    this.client = new S3Client({ region: 'eu-west-1', credentials });
    this.client.middlewareStack.add(
      (_next, { commandName = '' }) =>
        async ({ input }) => {
          const name = commandName.replace(/Command$/, '');
          const output = this.#answer(name, input as unknown as Input);
          return { output: { $metadata: {}, ...output }, response: {} };
        },
      { step: 'initialize', priority: 'high' },
    );
  }

  /** The answer to the next such request that has none yet. */
  next(name: string, scripted: Scripted | Error): void {
    const answer = (): never => {
      throw scripted;
    };
    const all = this.#script.get(name) ?? [];
    this.#script.set(name, [...all, scripted instanceof Error ? answer : scripted]);
  }

  /** How often it was asked. */
  count(name: string): number {
    return this.calls.filter((call) => call.startsWith(name)).length;
  }

  #answer(name: string, input: Input): object {
    this.calls.push([name, input.UploadId].filter(Boolean).join(' '));
    const own = () => this.#own(name, input);
    return (this.#script.get(name)?.shift() ?? own)(input, own);
  }

  #own(
    name: string,
    { Key, UploadId, PartNumber, ChecksumCRC32, IfNoneMatch, MultipartUpload }: Input,
  ): object {
    const parts = this.uploads.get(UploadId);
    if (UploadId !== undefined && !parts) throw refusal('NoSuchUpload', 404);
    if (IfNoneMatch && this.objects.has(Key)) throw refusal('PreconditionFailed', 412);
    switch (name) {
      case 'HeadObject':
        if (!this.objects.has(Key)) throw refusal('NotFound', 404);
        return { ContentLength: 1 };
      case 'PutObject':
        this.objects.add(Key);
        return {};
      case 'CreateMultipartUpload':
        this.#begun += 1;
        this.uploads.set(`u${this.#begun}`, new Map());
        return { UploadId: `u${this.#begun}` };
      case 'UploadPart':
        parts?.set(PartNumber, ChecksumCRC32);
        return { ETag: `etag-${PartNumber}` };
      case 'ListParts':
        return {
          Parts: [...(parts ?? [])].map(([number, crc]) => ({
            ...{ PartNumber: number, ETag: `etag-${number}`, ChecksumCRC32: crc },
          })),
        };
      case 'CompleteMultipartUpload':
        if (MultipartUpload.Parts.length !== parts?.size) throw refusal('InvalidPart', 400);
        this.uploads.delete(UploadId);
        this.objects.add(Key);
        return {};
      case 'AbortMultipartUpload':
        this.uploads.delete(UploadId);
        return {};
      default:
        throw new Error(`nothing answers ${name}`);
    }
  }
}
