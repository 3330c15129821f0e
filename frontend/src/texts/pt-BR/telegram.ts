/** Brazilian Portuguese, of the mini app in Telegram. */

import type { TelegramTexts } from '../en/telegram';

export const telegram: TelegramTexts = {
  mini: 'E-mail no Telegram',
  'mini.outside': 'Abra isto no Telegram',
  'mini.outside.why': 'Esta página pertence ao bot: pressione um botão abaixo de uma das mensagens dele. Sem o Telegram, a caixa de correio está aqui.',
  'mini.addresses': 'Seus endereços',
  'mini.again': 'Se esta página ficou aberta por muito tempo, abra-a de novo pelo bot.',
  'mini.none': 'Nenhum endereço ainda. Crie um ou vincule um que você tenha.',
  'mini.any': 'qualquer nome',
  'mini.name.help': 'Um nome, um nome com domínio, ou nada para um aleatório.',
  'mini.made': '{address} é seu',
  'mini.bound': 'O endereço está vinculado',
  'mini.bind': 'Vincular um endereço pelo token',
  'mini.open': 'Abrir {address}',
  'mini.release': 'Soltar {address}',
  'mini.release.why': 'O bot deixa de avisar sobre o e-mail dele. A caixa de correio continua.',
  'mini.release.do': 'Soltar',
  'mini.mailbox': 'Abrir a caixa de correio',
};
