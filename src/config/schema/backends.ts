import { z } from 'zod'
import { headerName, name, path, port, textMap, texts, url } from './primitives.ts'

const volume = z.strictObject({
  hostPath: path().describe('Folder or file on this machine. Required.'),
  mountPath: path().describe('Where the container sees it. Required.'),
  readOnly: z.boolean().optional().describe('Mount without the right to write. Default: false.'),
})

/** One upstream MCP server: exactly one of `url`, `command` and `image`. */
export const backendSchema = z.strictObject({
  name: name().describe('Unique name; the prefix of its tools. Required.'),
  url: url().optional().describe('Endpoint of a server that runs already. References such as ${VAR} are expanded.'),
  transport: z
    .enum(['streamable-http', 'sse', 'stdio'])
    .optional()
    .describe(
      'How the server talks. For a url: streamable-http or sse, probed when absent. For an image: default stdio.',
    ),
  type: z
    .enum(['', 'entry'])
    .optional()
    .describe('"entry" marks a catalogue entry, which may set caBundlePath. Default: "".'),
  caBundlePath: path()
    .optional()
    .describe('PEM file of additional authorities for this url. Absolute; only with type: entry.'),
  command: name()
    .optional()
    .describe('Program to start; the server talks over its stdin and stdout. References are expanded.'),
  image: name().optional().describe('Container image to run with docker or podman.'),
  args: texts().optional().describe('Arguments of the command or image. References are expanded. Default: [].'),
  env: textMap()
    .optional()
    .describe('Environment variables added for the process. References are expanded. Default: {}.'),
  cwd: path()
    .optional()
    .describe('Working folder of the command, relative to the folder of this file. Default: the folder of this file.'),
  headers: z
    .record(headerName(), z.string())
    .optional()
    .describe(
      'HTTP headers sent to the url with every request, none of the protocol. References are expanded. Default: {}.',
    ),
  port: port()
    .optional()
    .describe('Port on which the server in the image listens (transport streamable-http or sse). Default: 8080.'),
  volumes: z.array(volume).optional().describe('Folders and files of this machine that the image sees. Default: [].'),
  era: z.enum(['auto', 'legacy', 'modern']).optional().describe('Protocol era of the server. Default: auto (probed).'),
  sharing: z
    .enum(['perSession', 'shared'])
    .optional()
    .describe(
      'One upstream per client session, or one for all. Default: perSession where the server keeps sessions, else shared.',
    ),
  methods: texts()
    .optional()
    .describe(
      'Methods outside the protocol that clients may call on this server, such as "acme/jobs/start"; one server per ' +
        'method. Given, also empty: its extensions that are not of the protocol are offered to clients. Default: none.',
    ),
  disabled: z
    .boolean()
    .optional()
    .describe('Configured but switched off: never started, not missed by readiness. Default: false.'),
  metadata: textMap().optional().describe('Notes for people; the key "group" is reserved. Default: {}.'),
})

export type AuthoredBackend = z.infer<typeof backendSchema>
