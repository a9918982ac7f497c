import type { Requirement } from './row.ts'

interface DownConversion extends Requirement {
  /** The first revision that knows the feature; clients of older ones get it lowered. */
  since: string
  feature: string
}

const row = (id: string, since: string, feature: string, text: string): DownConversion => ({
  id: `down.${id}`,
  since,
  feature,
  text,
  status: 'carried',
})

/** What clients of older revisions get instead of a feature (the table of reference 2.5). */
export const DOWN_CONVERSIONS: readonly DownConversion[] = [
  row('audio', '2025-03-26', 'audio content', 'a text that says what was left out'),
  row('annotations', '2025-03-26', 'tool annotations', 'the tool without them'),
  row('progress-message', '2025-03-26', 'message of progress', 'the progress without it'),
  row('resource-link', '2025-06-18', 'resource_link', 'a text with the name and the URI'),
  row('structured', '2025-06-18', 'structuredContent', 'a text block with the JSON'),
  row('output-schema', '2025-06-18', 'outputSchema', 'the tool without it'),
  row('title', '2025-06-18', 'title', 'the entry without it'),
  row('argument-titles', '2025-06-18', 'title of arguments', 'the argument without it'),
  row('elicitation', '2025-06-18', 'elicitation', 'the capability is not offered to backends'),
  row('icons', '2025-11-25', 'icons', 'the entry without them'),
  row('link-icons', '2025-11-25', 'icons of links', 'the link without them, where the result is taken apart anyway'),
  row('titled-choices', '2025-11-25', 'choices with titles', 'the same choice as enum and enumNames'),
  row('elicitation-url', '2025-11-25', 'URL elicitation', 'the mode is not offered to backends'),
  row('url-required', '2025-11-25', '-32042', 'a failed tool with the message'),
  row('sampling-tools', '2025-11-25', 'tools of sampling', 'the capability is not offered to backends'),
  row('core-tasks', '2025-11-25', 'core tasks', 'the tool without `execution`'),
  row('any-structured', '2026-07-28', 'structuredContent of any type', 'a text block with the JSON'),
  row('any-output-schema', '2026-07-28', 'outputSchema of any type', 'the tool without it'),
  row('result-members', '2026-07-28', 'result types and cache hints', 'the result without them'),
  row('subscription-ids', '2026-07-28', 'subscription ids', 'the notification without them'),
]
