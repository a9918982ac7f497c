import type { Requirement } from './row.ts'

const carried = (id: string, text: string): Requirement => ({ id: `hard.${id}`, text, status: 'carried' })

/** The ten hard points of bridging (reference 2.5), each as far as it can be seen from outside. */
export const HARD_POINTS: readonly Requirement[] = [
  carried('1.together', 'questions that a legacy backend asks together reach a modern client in one round'),
  carried('1.rounds', 'a legacy backend that asks again after an answer gives another round of the same call'),
  carried('1.once', 'a parked call runs once at the backend, however many rounds it takes'),
  carried('1.duplicate', 'two retries with the same state and answers get the same result'),
  carried('1.tampered', 'a state that was changed, or belongs to another request, is -32602'),
  carried('1.foreign', 'a state of a gateway that was restarted is -32602, and nothing runs a second time'),
  carried('1.invalid', 'an answer of the wrong shape is -32602, and the call waits on'),
  carried('1.partial', 'a question without an answer is asked again'),
  carried('1.gone', 'a client that leaves before it is asked cancels the call at the backend'),
  carried('1.expiry', 'a parked call that nobody answers is cancelled at the backend'),
  carried('1.progress', 'progress after the answers arrives under the token of the retry'),
  carried('2.offered', 'a backend is offered exactly what this caller declared and the path can carry'),
  carried(
    '2.refused',
    'a legacy backend that asks for what the caller did not declare gets an error, and the caller nothing',
  ),
  carried(
    '2.legacy-refused',
    'a modern backend that asks for what a legacy client did not declare fails the call, and the client is not asked',
  ),
  carried('3.session', 'two legacy clients never share state of a backend that keeps it'),
  carried('3.principal', 'a modern client finds the state again that its earlier call left'),
  carried('4.legacy-leaves', 'the call of a legacy client whose connection breaks goes on'),
  carried('4.modern-leaves', 'the call of a modern client that closes its stream is cancelled'),
  carried('5.gap', 'after a gap in the stream of a backend every subscriber hears of a change'),
  carried('6.levels', 'clients with different levels on one backend get each their own lines'),
  carried('6.unattributed-modern', 'a line that belongs to no request reaches no modern client'),
  carried('6.unattributed-legacy', 'a line that belongs to no request reaches the legacy client whose session it is'),
  carried('7.resume', 'a legacy client resumes the stream of a call to a modern backend, and the call runs once'),
  carried('7.lost', 'a call whose backend breaks off fails, and is not repeated'),
  carried('8.required', 'a legacy tool that requires a task is run to its end for a client that cannot'),
  carried('8.hidden', 'core tasks are hidden from modern clients, the tasks extension from legacy ones'),
  carried('9.modern', 'a legacy backend that asks without a call gets -32601 when its client is modern'),
  carried('9.legacy', 'a legacy backend that asks without a call reaches the legacy client whose session it is'),
  carried('10.made', 'a legacy client gets an id with every URL elicitation of a modern backend'),
  carried('10.dropped', 'a modern client gets none with those of a legacy backend'),
]
