// What a function's process and its parent tell each other.

export interface ToRuntime {
  requestId: string;
  /** JSON. */
  payload: string;
  /** When the invocation times out, in epoch milliseconds. */
  deadlineMs: number;
  functionArn: string;
}

/** The shape in which a failed invocation's payload tells its error. */
export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
}

export type FromRuntime =
  | 'loaded'
  | { requestId: string; payload: string; error?: undefined }
  | { requestId: string; error: FunctionError; payload?: undefined };
