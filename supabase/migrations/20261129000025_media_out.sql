-- What a person sends beside words: the console puts it into the bucket, a worker looks at it and gives it to Meta, and then its
-- message leaves through the outbox as any other.

-- Of what goes out: "awaited" until it lies in the bucket, then as what came in. reference: WhatsApp's id of what it was given.
alter table public.media drop constraint media_state_check;
alter table public.media add constraint media_state_check check (state in ('awaited', 'waiting', 'kept', 'refused'));
alter table public.media add column reference text check (reference ~ '^[A-Za-z0-9_.:-]{1,200}$');
create index media_awaited on public.media (tenant_id, created_at) where state = 'awaited';

-- A member is about to send a file to a contact, with words or without: the message, and the media that waits for its file. p_key as in
-- write_as_person. Returns {media, object_key}, or {refused: outside_window | opted_out | no_caption} and writes nothing. Who did not
-- upload within an hour begins anew.
create function public.offer_media(p_tenant uuid, p_conversation uuid, p_key text, p_kind text, p_media_type text, p_bytes integer,
  p_text text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message uuid := md5(p_tenant::text || p_conversation::text || p_key)::uuid;
  v_conversation public.conversations;
  v_media uuid;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if char_length(p_text) not between 1 and 1024 or char_length(p_key) not between 8 and 64 then
    raise exception 'text must have 1 to 1024 characters, key 8 to 64' using errcode = '22023';
  end if;
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation for update;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  with late as (
    update public.media d set state = 'refused', reason = 'missing'
      where d.tenant_id = p_tenant and d.state = 'awaited' and d.created_at < now() - interval '1 hour' returning d.message_id
  )
  update public.messages m set status = 'failed' from late l where m.tenant_id = p_tenant and m.id = l.message_id;
  select d.id into v_media from public.media d where d.tenant_id = p_tenant and d.message_id = v_message;
  if v_media is null then
    if exists (select from public.contacts k where k.tenant_id = p_tenant and k.id = v_conversation.contact_id
        and k.opted_out_at is not null) then
      return jsonb_build_object('refused', 'opted_out');
    end if;
    if v_conversation.last_inbound_at is null or v_conversation.last_inbound_at < now() - interval '24 hours' then
      return jsonb_build_object('refused', 'outside_window');
    end if;
    -- A page sends words or a file; and a sound has no words beside it.
    if p_text is not null and (p_kind = 'audio' or not exists (select from public.channels c
        where c.tenant_id = p_tenant and c.id = v_conversation.channel_id and c.kind = 'whatsapp')) then
      return jsonb_build_object('refused', 'no_caption');
    end if;
    update public.conversations v set handled_by = 'person', taken_over_at = now()
      where v.tenant_id = p_tenant and v.id = p_conversation;
    insert into public.messages (id, tenant_id, conversation_id, author, kind, body, status, occurred_at)
      values (v_message, p_tenant, p_conversation, 'person', p_kind, coalesce(p_text, ''), 'queued', now());
    insert into public.media (tenant_id, message_id, place, kind, state, media_type, bytes)
      values (p_tenant, v_message, 0, p_kind, 'awaited', p_media_type, p_bytes) returning id into v_media;
    perform private.record_action(p_tenant, 'conversation.written', p_conversation);
  end if;
  return jsonb_build_object('media', v_media, 'object_key', p_tenant::text || '/' || v_media::text);
end $$;

-- The file lies in the bucket, says a member: its row of the outbox waits until a worker has looked at it. Its state now.
create function public.finish_media(p_tenant uuid, p_media uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_media public.media;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  select * into v_media from public.media d where d.tenant_id = p_tenant and d.id = p_media for update;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  if v_media.state = 'awaited' then
    update public.media d set state = 'waiting' where d.tenant_id = p_tenant and d.id = p_media;
    insert into public.outbox (tenant_id, conversation_id, message_id, next_attempt_at)
      select p_tenant, m.conversation_id, m.id, 'infinity' from public.messages m
      where m.tenant_id = p_tenant and m.id = v_media.message_id
      on conflict (tenant_id, message_id) do nothing;
    return 'waiting';
  end if;
  return v_media.state;
end $$;

do $$
declare
  v_claim text := pg_get_functiondef('public.claim_media(uuid, uuid, integer)'::regprocedure);
  v_send text := pg_get_functiondef('public.claim_outbox(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_claim, '''kind'', v_media.kind, ') > 0 and strpos(v_send, '''state'', ''claimed'', ') > 0;
  execute replace(v_claim, '''kind'', v_media.kind, ', '''kind'', v_media.kind, ''goes_out'', m.author <> ''contact'', '
    '''media_type'', v_media.media_type, ''bytes'', v_media.bytes, ');
  execute replace(v_send, '''state'', ''claimed'', ', '''state'', ''claimed'', ''media'', (select jsonb_build_object('
    '''kind'', d.kind, ''reference'', d.reference, ''object_key'', d.object_key) from public.media d '
    'where d.tenant_id = p_tenant and d.message_id = m.id and d.place = 0 and d.state = ''kept''), ');
end $$;

-- What became of media: "kept" under the key {tenant}/{media}, "refused" with a reason; "waiting" gives it back. p_reference: what
-- WhatsApp calls what it was given. Returns the row of the outbox that may leave now, and its conversation.
drop function public.settle_media(uuid, uuid, bigint, text, text, text, integer);
create function public.settle_media(p_tenant uuid, p_media uuid, p_fence bigint, p_state text, p_reason text, p_media_type text,
  p_bytes integer, p_reference text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_media public.media;
  v_outbox public.outbox;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.media d set state = p_state, reason = p_reason, media_type = coalesce(p_media_type, d.media_type),
      bytes = coalesce(p_bytes, d.bytes), reference = p_reference,
      object_key = case p_state when 'kept' then p_tenant::text || '/' || p_media::text end,
      claimed_until = null, attempts = d.attempts - 1
    where d.tenant_id = p_tenant and d.id = p_media and d.fence = p_fence and d.state = 'waiting' and d.claimed_until is not null
    returning * into v_media;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  if p_state = 'waiting' then
    return null;
  end if;
  update public.outbox o set next_attempt_at = now(),
      state = case p_state when 'refused' then 'failed' else o.state end,
      error = case p_state when 'refused' then 'media_' || p_reason else o.error end
    where o.tenant_id = p_tenant and o.message_id = v_media.message_id and o.state = 'pending' returning * into v_outbox;
  if not found then
    return null;
  end if;
  if p_state = 'refused' then
    update public.messages m set status = 'failed' where m.tenant_id = p_tenant and m.id = v_media.message_id;
    return null;
  end if;
  return jsonb_build_object('outbox', v_outbox.id, 'conversation', v_outbox.conversation_id);
end $$;

grant execute on function public.offer_media(uuid, uuid, text, text, text, integer, text), public.finish_media(uuid, uuid)
  to authenticated;
grant execute on function public.settle_media(uuid, uuid, bigint, text, text, text, integer, text) to service_role;
grant create on schema public to portero_service;
alter function public.offer_media(uuid, uuid, text, text, text, integer, text) owner to portero_service;
alter function public.finish_media(uuid, uuid) owner to portero_service;
alter function public.settle_media(uuid, uuid, bigint, text, text, text, integer, text) owner to portero_service;
revoke create on schema public from portero_service;
