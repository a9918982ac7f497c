/** How a client that people use asks for its tokens. */
export interface OAuthClient {
  name: string
  /** What it registers, or publishes at `document`. */
  metadata: { client_name: string; redirect_uris: string[] } & Record<string, unknown>
  /** Where its user comes back. It need not be registered letter by letter: ports of loopback addresses vary. */
  redirect: string
  /** The address of its metadata, which is its id; absent: it registers itself. */
  document?: string
}

const PUBLIC = { token_endpoint_auth_method: 'none', response_types: ['code'] }

/** From what their makers publish and users report (reference on the protocol, section 6.1). */
export const OAUTH_CLIENTS: readonly OAuthClient[] = [
  {
    name: 'Claude, registered by itself',
    metadata: { ...PUBLIC, client_name: 'Claude', redirect_uris: ['https://claude.ai/api/mcp/auth_callback'] },
    redirect: 'https://claude.ai/api/mcp/auth_callback',
  },
  {
    name: 'Claude, known by its document',
    document: 'https://claude.ai/oauth/mcp-client-metadata',
    metadata: {
      ...PUBLIC,
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    redirect: 'https://claude.com/api/mcp/auth_callback',
  },
  {
    name: 'Claude Code, on a port of its own',
    metadata: {
      ...PUBLIC,
      client_name: 'Claude Code',
      application_type: 'native',
      redirect_uris: ['http://localhost/callback'],
    },
    redirect: 'http://localhost:54545/callback',
  },
  {
    name: 'VS Code, on another port than registered',
    metadata: {
      ...PUBLIC,
      client_name: 'Visual Studio Code',
      application_type: 'native',
      redirect_uris: [
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
      ],
    },
    redirect: 'http://127.0.0.1:49876/',
  },
  {
    name: 'VS Code, through its page and known by its document',
    document: 'https://vscode.dev/oauth/client-metadata.json',
    metadata: {
      ...PUBLIC,
      client_name: 'Visual Studio Code',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    redirect: 'https://vscode.dev/redirect',
  },
  {
    name: 'Cursor, with a scheme of its own',
    metadata: {
      ...PUBLIC,
      client_name: 'Cursor',
      application_type: 'native',
      redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'],
    },
    redirect: 'cursor://anysphere.cursor-mcp/oauth/callback',
  },
  {
    name: 'ChatGPT, with the resource echoed',
    metadata: {
      ...PUBLIC,
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    },
    redirect: 'https://chatgpt.com/connector_platform_oauth_redirect',
  },
]
