// A certified OAuth2 server (oidc-provider) with the vendor's paths, on a free port of the loopback interface.
// Prints its port when it is ready. Environment: ACCESS_TTL and CODE_TTL, in seconds.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const seconds = (name, otherwise) => Number(process.env[name] ?? otherwise);
const grants = ['authorization_code', 'refresh_token'];

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: 'phone',
        client_secret: 's3cret',
        application_type: 'native',
        grant_types: grants,
        redirect_uris: ['mymap://oauth2redirect/fr', 'http://127.0.0.1/back'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
      {
        client_id: 'robot',
        client_secret: 's3cret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: process.env.AUTH_METHOD ?? 'client_secret_basic',
      },
      {
        client_id: 'public',
        application_type: 'native',
        grant_types: grants,
        redirect_uris: ['mymap://oauth2redirect/fr'],
        token_endpoint_auth_method: 'none',
      },
      {
        client_id: 'web:app',
        client_secret: 's3cret +%&:/=',
        grant_types: grants,
        redirect_uris: ['https://127.0.0.1:9999/back'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    scopes: ['openid', 'data:telemetry', 'data:position', 'data:trip', 'data:alert'],
    routes: {
      authorization: '/am/oauth2/authorize',
      token: '/am/oauth2/access_token',
      revocation: '/am/oauth2/token/revoke',
      introspection: '/am/oauth2/introspect',
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
    },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: () => true, // and a reused refresh token revokes the grant
    expiresWithSession: () => false,
    ttl: {
      AccessToken: seconds('ACCESS_TTL', 900),
      ClientCredentials: seconds('ACCESS_TTL', 900),
      AuthorizationCode: seconds('CODE_TTL', 60),
      Grant: 7200,
      IdToken: 900,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 7200,
    },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    cookies: { keys: ['for tests only'] },
  });
  server.on('request', provider.callback());
  console.log(port);
});
