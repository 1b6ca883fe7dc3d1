import { DefaultFailureConverter, type FailureConverter, type PayloadConverter, type ProtoFailure, type SerializationContext } from '@temporalio/common';

/** What stands in place of a message that is encrypted; the SDK's own words. */
const placeholder = 'Encoded failure';

/**
 * Puts messages and stack traces of failures into a payload, which the codec then encrypts; by default they are plain text in histories.
 * Beyond the SDK's own option it reaches causes that came back from a history in plain text, and leaves the error it was given as it was.
 */
class EncodedFailureConverter extends DefaultFailureConverter {
  constructor() {
    super({ encodeCommonAttributes: true });
  }

  override errorToFailure(error: unknown, converter: PayloadConverter, context?: SerializationContext): ProtoFailure {
    return encoded(this.errorToFailureInner(error, converter, context), converter, context);
  }
}

function encoded(failure: ProtoFailure, converter: PayloadConverter, context: SerializationContext | undefined): ProtoFailure {
  const cause = failure.cause ? { cause: encoded(failure.cause, converter, context) } : {};
  if (failure.message === placeholder && failure.encodedAttributes) return { ...failure, ...cause };
  const { message, stackTrace } = failure;
  return { ...failure, ...cause, message: placeholder, stackTrace: '', encodedAttributes: converter.toPayload({ message: message ?? '', stack_trace: stackTrace ?? '' }, context) };
}

/** Found by this name, in this file: workers and clients load it by path, and the bundle of the workflows holds it. */
export const failureConverter: FailureConverter = new EncodedFailureConverter();
