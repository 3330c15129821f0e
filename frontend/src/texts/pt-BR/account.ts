/** Portuguese (Brazil). */

import type { AccountTexts } from '../en/account';

export const account: AccountTexts = {
  // Signing in
  'sign-in': 'Entrar',
  'sign-out': 'Sair',
  register: 'Cadastrar',
  forgot: 'Esqueceu a senha?',
  'forgot.why': 'Um código é enviado a você; com ele você escolhe uma nova senha.',
  'account.why': 'Uma conta reúne vários endereços e mostra seus e-mails em um só lugar.',
  'account.without': 'Continuar sem conta',
  email: 'E-mail',
  code: 'Código',
  'code.send': 'Enviar código',
  'code.sent': 'Um código está a caminho de {email}. Vale por cinco minutos.',
  'password.next': 'Nova senha',
  'password.help': 'Pelo menos oito caracteres.',
  'passkey.sign-in': 'Entrar com uma chave de acesso',
  'passkey.stopped': 'A chave de acesso não foi usada. Tente de novo ou de outra forma.',
  'oauth.sign-in': 'Entrar com {name}',
  'oauth.strange': 'Esta entrada não começou neste navegador, ou demorou demais. Comece de novo.',

  // Addresses of an account
  'account.inbox': 'Todos os e-mails',
  'account.all': 'Todos os endereços',
  'bound.none': 'Ainda não há endereços',
  'bound.none.why': 'Vincule um endereço aberto neste navegador, ou crie um antes na caixa de correio.',
  'bound.open': 'Abrir {address}',
  'bound.counts': '{mails} recebidos, {sent} enviados',
  'bound.done': '{address} pertence à sua conta',
  bind: 'Vincular',
  'bind.why': 'Vincule-os, e sua conta os abre em qualquer aparelho.',
  unbind: 'Soltar',
  'unbind.of': 'Soltar {address}',
  'unbind.why': 'Continua aberto e não pertence a ninguém. Seu token ainda o lê.',
  transfer: 'Ceder',
  'transfer.of': 'Ceder {address}',
  'transfer.to': 'E-mail da outra conta',
  'transfer.why': 'Os e-mails vão junto. Todos os tokens do endereço terminam na hora, também neste navegador.',
  'transfer.done': '{address} agora pertence a {to}',
  'page.before': 'Anterior',
  'page.next': 'Próxima',

  // Passkeys
  passkeys: 'Chaves de acesso',
  'passkeys.why': 'Chaves em um telefone, notebook ou dispositivo. Com uma você entra sem senha.',
  'passkeys.none': 'Ainda não há chaves de acesso.',
  'passkeys.impossible': 'Este navegador não cria chaves de acesso aqui: elas precisam de uma conexão segura (https).',
  'passkey.name': 'Nome da chave',
  'passkey.name.like': 'Telefone, notebook',
  'passkey.add': 'Adicionar uma chave de acesso',
  'passkey.added': 'A chave de acesso está pronta',
  'passkey.remove': 'Remover {name}',
};
